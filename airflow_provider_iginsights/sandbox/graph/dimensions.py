"""The values that each breakdown dimension can take, spelt as Meta's answers spell them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DIMENSION_VALUES"]

_COUNTRIES = (
    "US BR IN GB DE FR IT ES MX AR CO CL PE CA AU NZ JP KR ID MY SG TH VN PH TR GR PT NL BE LU CH AT CZ SK PL HU RO BG "
    "HR SI RS UA SE NO DK FI IE ZA NG KE EG MA AE SA IL PK"
)
_CITIES = (
    "London, England|Manchester, England|Paris, Île-de-France|Lyon, Auvergne-Rhône-Alpes|Berlin, Berlin|"
    "Munich, Bavaria|Hamburg, Hamburg|Madrid, Comunidad de Madrid|Barcelona, Cataluña|Rome, Lazio|Milan, Lombardia|"
    "Lisbon, Lisbon|Porto, Porto District|Amsterdam, North Holland|Brussels, Brussels|Vienna, Vienna|"
    "Zurich, Canton of Zurich|Prague, Prague|Warsaw, Masovian Voivodeship|Budapest, Budapest|Athens, Attica|"
    "Istanbul, Istanbul Province|Dublin, Dublin|Stockholm, Stockholm County|Oslo, Oslo|"
    "Copenhagen, Capital Region of Denmark|Helsinki, Uusimaa|New York, New York|Los Angeles, California|"
    "Chicago, Illinois|Houston, Texas|Miami, Florida|Toronto, Ontario|Montreal, Quebec|"
    "Mexico City, Distrito Federal|Guadalajara, Jalisco|Bogotá, Cundinamarca|Lima, Lima Region|"
    "Santiago, Santiago Metropolitan Region|Buenos Aires, Ciudad Autónoma de Buenos Aires|"
    "São Paulo, São Paulo (state)|Rio de Janeiro, Rio de Janeiro (state)|Tokyo, Tokyo|Osaka, Osaka Prefecture|"
    "Seoul, Seoul|Jakarta, Jakarta|Singapore, Singapore|Bangkok, Bangkok|Manila, Metro Manila|Mumbai, Maharashtra|"
    "Delhi, Delhi|Sydney, New South Wales|Melbourne, Victoria|Auckland, Auckland Region|Cape Town, Western Cape|"
    "Lagos, Lagos State|Cairo, Cairo Governorate"
)

DIMENSION_VALUES: Mapping[str, tuple[str, ...]] = {
    "follow_type": ("FOLLOWER", "NON_FOLLOWER", "UNKNOWN"),
    "media_product_type": ("POST", "REEL", "STORY", "CAROUSEL_CONTAINER", "AD"),
    "contact_button_type": (
        "BOOK_NOW",
        "CALL",
        "DIRECTION",
        "EMAIL",
        "INSTANT_EXPERIENCE",
        "TEXT",
        "UNDEFINED",
    ),
    "age": ("13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"),
    "gender": ("F", "M", "U"),
    "country": tuple(_COUNTRIES.split()),
    "city": tuple(_CITIES.split("|")),
    "locale": ("en_US", "en_GB", "es_LA", "pt_BR", "fr_FR", "de_DE", "it_IT", "ja_JP", "id_ID", "tr_TR"),
    "action_type": ("bio_link_clicked", "call", "direction", "email", "other", "text"),
    "story_navigation_action_type": ("tap_forward", "tap_back", "tap_exit", "swipe_forward"),
}
