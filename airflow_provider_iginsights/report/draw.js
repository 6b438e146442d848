// Draws the charts of this page. vegaEmbed comes from the bundle around this text.
const tooltip = { disableDefaultStyle: true };
// ast: expressions are interpreted, since the page's policy forbids to evaluate texts.
const options = { mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip };
const charts = JSON.parse(document.getElementById("charts").textContent);
const started = performance.now();
Promise.all(
  Object.entries(charts).map(([id, spec]) => vegaEmbed(document.getElementById(id), spec, options)),
).then(
  () => { document.documentElement.dataset.drawn = Math.round(performance.now() - started); },
  (error) => { document.documentElement.dataset.failed = String(error); throw error; },
);
