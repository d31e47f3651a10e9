"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const body = byId("table").tBodies[0];
  const rows = [...body.rows];
  const regimes = [...byId("f-regime").options].slice(1).map((option) => option.value);
  for (const row of rows) { // what filters compare stands in the cells
    const [, name, recipe, regime] = row.cells;
    row.dataset.recipe = recipe.querySelector("a").getAttribute("href").slice("#recipe-".length);
    row.dataset.regime = regimes[regime.dataset.v] ?? "";
    row.dataset.feature = name.querySelector("small")?.textContent ?? "-";
  }
  const texts = new Map(rows.map((row, place) => [row, { place, text: row.textContent.toLowerCase() }]));
  const buttons = [...document.querySelectorAll("#table thead button")];
  const fields = { q: byId("q"), recipe: byId("f-recipe"), regime: byId("f-regime"), feature: byId("f-feature"), all: byId("f-all") };
  let sort = { key: "", dir: "" };

  // A column's cells: a hole spans two columns, so places are counted, not indexed.
  const value = (row, column) => {
    let place = 0;
    for (const cell of row.cells) {
      if (column < place + cell.colSpan) return cell.dataset.v ?? cell.textContent.trim();
      place += cell.colSpan;
    }
    return "";
  };

  const number = (text) => parseFloat(text.replace("\u2212", "-"));

  function filter() {
    const words = fields.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const { recipe, regime, feature, variant } = row.dataset;
      const fits = (fields.all.checked || words.length > 0 || variant === undefined)
        && (!fields.recipe.value || recipe === fields.recipe.value)
        && (!fields.regime.value || regime === fields.regime.value)
        && (!fields.feature.value || feature === fields.feature.value)
        && words.every((word) => texts.get(row).text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    byId("count").textContent = `${shown} of ${rows.length} systems`;
  }

  function order() {
    const column = buttons.findIndex((button) => button.dataset.key === sort.key);
    buttons.forEach((button, place) => {
      button.parentElement.setAttribute("aria-sort", place === column ? sort.dir : "none");
    });
    const isNumber = column >= 0 && buttons[column].dataset.kind === "number";
    const sign = sort.dir === "descending" ? -1 : 1;
    const keyed = rows.map((row) => [row, column < 0 ? "" : value(row, column)]);
    keyed.sort(([a, x], [b, y]) => {
      const early = texts.get(a).place - texts.get(b).place;
      if (column < 0) return early;
      if (x === "" || y === "") return (x === "") - (y === "") || early; // what is empty stands last, always
      const both = isNumber ? number(x) - number(y) : x.localeCompare(y, "en", { numeric: true });
      return sign * both || early;
    });
    body.append(...keyed.map(([row]) => row));
  }

  function write() { // the state goes into the address, so that a view can be sent to somebody
    const state = new URLSearchParams();
    for (const [name, field] of Object.entries(fields)) {
      const set = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
      if (set) state.set(name, set);
    }
    if (sort.key) { state.set("sort", sort.key); state.set("dir", sort.dir); }
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : `${location.pathname}${location.search}`);
  }

  function read() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) { reveal(decodeURIComponent(hash)); return; }
    const state = new URLSearchParams(hash);
    for (const [name, field] of Object.entries(fields)) {
      if (field.type === "checkbox") field.checked = state.has(name);
      else field.value = state.get(name) ?? "";
      if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = "";
    }
    const dir = state.get("dir") === "descending" ? "descending" : "ascending";
    sort = state.has("sort") ? { key: state.get("sort"), dir } : { key: "", dir: "" };
    filter();
    order();
  }

  function reveal(id) { // opens what a link leads into
    const target = byId(id);
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
    const place = target.querySelector(":scope > summary") ?? target;
    if (place.tabIndex < 0) place.tabIndex = -1; // a row of a table takes the focus only so
    place.focus({ preventScroll: true });
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const first = button.dataset.kind === "number" ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      if (sort.key !== button.dataset.key) sort = { key: button.dataset.key, dir: first };
      else sort = sort.dir === first ? { key: sort.key, dir: other } : { key: "", dir: "" };
      order();
      write();
    });
  }
  const refresh = () => { filter(); write(); };
  byId("controls").addEventListener("input", refresh);
  byId("controls").addEventListener("change", refresh); // some browsers have no input of a select that a machine sets
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    for (const field of Object.values(fields)) { field.value = field.type === "checkbox" ? "on" : ""; field.checked = false; }
    sort = { key: "", dir: "" };
    filter();
    order();
    write();
  });
  document.addEventListener("click", (event) => { // a link to where one is already changes no address
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.hash === location.hash) reveal(decodeURIComponent(link.hash.slice(1)));
  });

  const matrices = [...document.querySelectorAll(".matrix")];
  function choose() {
    const classes = byId("m-classes").value;
    const choice = byId("m-choice").value;
    let shown = 0;
    for (const matrix of matrices) {
      matrix.hidden = matrix.dataset.classes !== classes || matrix.dataset.choice !== choice;
      shown += !matrix.hidden;
    }
    byId("m-none").hidden = shown > 0;
  }
  byId("matrix-controls").addEventListener("input", choose);
  byId("matrix-controls").addEventListener("change", choose);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
  addEventListener("hashchange", read);
  choose();
  read();
})();
