
"use strict";
(() => {
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  all(".tools").forEach((tools) => { tools.hidden = false; });

  all("input[data-filters]").forEach((input) => {
    const targets = all(input.dataset.filters);
    const texts = targets.map((one) => one.textContent.toLowerCase());
    const said = document.getElementById(input.dataset.says);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      targets.forEach((one, place) => {
        one.hidden = !words.every((word) => texts[place].includes(word));
        shown += one.hidden ? 0 : 1;
      });
      said.textContent = words.length ? `${shown} of ${targets.length}` : "";
    });
  });

  all("button[data-opens]").forEach((button) => {
    button.addEventListener("click", () => {
      const targets = all(button.dataset.opens);
      const open = !targets.every((one) => one.open);
      targets.forEach((one) => { one.open = open; });
      button.textContent = open ? "Close all" : "Open all";
    });
  });

  const value = (row, column) => {
    const cell = row.cells[column];
    const given = cell.dataset.value;
    return given === undefined ? cell.textContent.trim().toLowerCase() : Number(given);
  };
  all("table.sortable").forEach((table) => {
    all("thead th", table).forEach((head, column) => {
      if (!head.textContent.trim()) { return; }
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") !== "descending";
        all("th", table.tHead).forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const rows = all("tr", table.tBodies[0]).sort((one, other) => {
          const first = value(one, column), second = value(other, column);
          const order = first < second ? -1 : first > second ? 1 : 0;
          return descending ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  });

  const goTo = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const details = target && target.closest("details");
    if (details) { details.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", goTo);
  goTo();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details.area:not([open])");
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { closed.forEach((one) => { one.open = false; }); });
})();
