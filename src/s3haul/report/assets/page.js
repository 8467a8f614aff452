"use strict";
(() => {
  const byId = (name) => document.getElementById(name);

  // Light or dark: as the system has it until somebody chooses. The choice is not stored.
  const theme = byId("theme");
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches);
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  systemIsDark.addEventListener("change", label);
  label();
  theme.hidden = false;

  // The objects that are not here: shown by a word and by their cause.
  const search = byId("search");
  if (search) {
    const rows = Array.from(byId("rows").tBodies[0].rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
    const only = byId("only");
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const { row, text } of rows) {
        const fits = (!only.value || row.dataset.c === only.value) && words.every((word) => text.includes(word));
        row.hidden = !fits;
        found += fits;
      }
      byId("found").textContent = `${found.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
    };
    search.addEventListener("input", filter);
    only.addEventListener("change", filter);
    search.closest(".tools").hidden = false;
    filter();
  }

  // One cursor through all charts: they share their time axis.
  const charts = Array.from(document.querySelectorAll(".chart"), (svg) => ({
    svg,
    xs: JSON.parse(svg.dataset.x),
    words: JSON.parse(svg.dataset.words),
    cursor: svg.querySelector(".cursor"),
    reading: svg.nextElementSibling,
  }));
  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) { low = middle; } else { high = middle; }
    }
    return x - xs[low] < xs[high] - x ? low : high;
  };
  const show = (index) => {
    for (const { xs, words, cursor, reading } of charts) {
      cursor.setAttribute("x1", xs[index]);
      cursor.setAttribute("x2", xs[index]);
      cursor.classList.add("on");
      reading.textContent = words[index];
    }
  };
  const hide = () => {
    for (const { cursor, reading } of charts) {
      cursor.classList.remove("on");
      reading.textContent = "\u00a0";
    }
  };
  for (const { svg, xs } of charts) {
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      show(nearest(xs, ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width));
    });
    svg.addEventListener("pointerleave", hide);
  }
})();
