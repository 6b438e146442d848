"""The words that Meta's error texts are made of. Any other word of such a text may be a name, and is replaced.

Sources: the texts in Meta's pages on error handling, rate limits, Instagram insights and its error codes, those that
users published, and the names of metrics, fields and permissions, whose parts are listed.
"""

from __future__ import annotations

import re
from typing import Final

_LISTED: Final = """
    a about above accepted access accessing account accounts action actions active activity ad ads after again age
    aggregated album all allowed alt already amount an and any api app application appsecret are argument array as ask
    asked asking at attempt attributed audience audio authenticate authentication authorization authorize authorized
    available avg
    back bad basic batch be because been before being belong between biography bit block blocked body boost both break
    breakdown breakdowns business but button by call calls can cannot caption carousel change changed character check
    checkpoint child children cities city class clicks client clips code comment comments complete components confirm
    confirmed connect connected contact contacts content conversion converted could count country create created
    crossposted current currently cursor cursors data date day days debug deleted demographics denied deprecated desc
    description developer developers did direction directions disabled discovery do does due duplicate edge either else
    email empty enable enabled engaged engagement enough enter error errors every exactly exceeded exception exceptions
    exchange excluding exist exists exits expected expire expired facebook fail failed fatal feed few field fields file
    fill find follow follower followers following follows for format forward found from gender generated get given go
    graph graphbatchexception graphmethodexception grant granted guide had has have header headers hidden host hour
    hours how html http https id ids if ig igapiexception igmedia igtv iguser image impersonating impressions in
    inactive incompatible index indirect info information input insights instagram instagramuser install installed
    instant interactions internal internet into invalid invalidated is issue issued it item items its json language
    large last later least legacy level life lifetime like likes limit limited limiting link links list lists loaded
    location log logged login long longer made make malformed manage management many match maximum may me media
    mention mentions menu message messages meta metadata method metric metrics minute minutes missing more most must
    name names navigation needs new next no node non none nonexisting not now null number oauth oauthexception object
    objects occurred of off offset on once one online only open operation option or order other our out over overview
    owned owner page pages param parameter parameters parse password path pdt per period periods permalink permission
    permissions person personal phone photo picture platform plays please policy portfolio position post posted posts
    previous print privacy private product profile proof provide provided public publish published quality queried
    query querying quota range rate re reach reached reaches read reads reason recent reconnect redirect reduce reel
    reels refer refresh refused rejected release removed replays replies reply reposts request requested requests
    require required requires resource response restrict restricted result retry return returned review revoked role
    same save saved saves scope secret secs security see send sent server service session set shadowigmedia
    shadowiguser share shared shares shop shortcode should show signature since size skip smaller some something source
    specified specify starting status still stop stopped stored stories story string subcode such support supported
    supports surface syntax system tag tags taken tap taps temporarily temporary test text than that the their them
    then there these they this those threads through thumbnail time timed timeframe times timestamp title to token
    tokens too total transient translated tried true try type types unable unavailable undefined unexpected unfollows
    unix unknown unless unpublished unsupported until up upgrade url use used user username users using utc valid
    validate validating value values verify version versions video videos view viewer viewers viewing views visit
    visits wait was watch we web webhook website week were what when where which who will with within without words
    wrong yes yet you your first locale quotes live negative start end expires run docs years com s v
    january february march april may june july august september october november december jan feb mar apr jun jul aug
    sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun pst gmt
    am pm
    bearer businesses fb cputime estimated regain messenger leadgen whatsapp custom acc util pct reset duration tier
    finished progress original music advertise analyze moderate messaging creator admin editor advertiser analyst
    moderator
    ai bio book category changes checking clicked collaborator collaborators container copyright dimension effect
    eligibility entry experience fbtrace granular hashtag hashtags hidden keys month months msg null paging parent pic
    prev preview pending results scopes series shopping similarity sso swipe exit tagged target targets tasks usage
    apps demographic details documentation each endpoint feature features isn learn people reviewable t
    aliases called capability cpu development explicitly seconds standard using volume
    backed brand branded catalog collaboration conversations eligible events invites latitude longitude marketplace
    matches mentioned products publishing recently search searched top upcoming verified
"""

WORDS: Final = frozenset(_LISTED.split())
"""In lower case."""

STEMS: Final = (
    r"permis|permess|autori[sz]|authori[sz]|berechtig|разреш|доступ|yetki|izin|izni|권한|権限|权限|權限|สิทธิ์|إذن|अनुमति"
)
"""A regular expression for "permission" in many languages, or its beginning: it tells two meanings of a code apart."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_., ]{0,99}")
_LETTERS = re.compile(r"[A-Za-z]+")
_LONG_NUMBER = re.compile(r"[0-9]{5}")


def is_made_of_words(text: str) -> bool:
    """Return whether a text has words, such as ``instagram_manage_insights``, and all are Meta's."""
    if not _IDENTIFIER.fullmatch(text) or _LONG_NUMBER.search(text):
        return False
    return WORDS.issuperset(word.lower() for word in _LETTERS.findall(text))
