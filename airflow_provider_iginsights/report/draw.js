// Draws the charts of this page. vegaEmbed comes from the bundle around this text.
const tooltip = { disableDefaultStyle: true };
// ast: expressions are interpreted, since the page's policy forbids to evaluate texts.
const options = { mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip };
const text = document.getElementById("charts").textContent;
const charts = Object.entries(JSON.parse(text));
const root = document.documentElement;
const started = performance.now();
const count = () => Math.round(performance.now() - started);
const isInSight = ([id]) => document.getElementById(id).getBoundingClientRect().top < root.clientHeight;
// A long period has thousands of marks. Its charts are drawn one after the other, and the reader sees and scrolls meanwhile.
const isLong = text.length > 100_000;
const pause = () => isLong && new Promise((go) => setTimeout(go));

async function draw(some) {
  for (const [id, spec] of some) {
    await pause();
    await vegaEmbed(document.getElementById(id), spec, options);
  }
}

const first = charts.filter(isInSight).length;
draw(charts.slice(0, first)).then(
  () => { root.dataset.opened = count(); return draw(charts.slice(first)); },
).then(
  () => { root.dataset.drawn = count(); },
  (error) => { root.dataset.failed = String(error); throw error; },
);
