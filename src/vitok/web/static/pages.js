"use strict";
// Draws the pictures, follows what happens, and lets keys answer. Pages can be read without it.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let drawn = [];
  let loading = null;

  function bundle() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/static/vega.js";
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = () => { loading = null; reject(new Error("the pictures cannot be drawn")); };
      document.head.append(script);
    });
    return loading;
  }

  function looks() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const soft = style.getPropertyValue("--soft").trim();
    const line = style.getPropertyValue("--line").trim();
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: "transparent", font, view: { stroke: null },
      axis: { labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, gridColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
      legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, orient: "top", title: null, symbolStrokeWidth: 2 },
      header: { labelColor: ink, titleColor: soft }, title: { color: ink }, text: { color: ink }, rule: { color: soft },
    };
  }

  // How pictures write numbers and days: as the language of the page does.
  function written() {
    const said = document.documentElement.lang || "en";
    const parts = new Intl.NumberFormat(said).formatToParts(-1234567.8);
    const part = (type, other) => parts.find((each) => each.type === type)?.value ?? other;
    const names = (count, options) => Array.from({ length: count }, (_, place) =>
      new Intl.DateTimeFormat(said, { ...options, timeZone: "UTC" })
        .formatToParts(options.month ? Date.UTC(2023, place, 1) : Date.UTC(2023, 0, 1 + place))
        .find((each) => each.type === (options.month ? "month" : "weekday")).value.replace(/\.$/, ""));
    return {
      formatLocale: { decimal: part("decimal", "."), thousands: part("group", ","), grouping: [3], currency: ["", ""] },
      timeFormatLocale: {
        dateTime: "%-d %b %Y, %H:%M", date: "%-d %b %Y", time: "%H:%M", periods: ["AM", "PM"],
        days: names(7, { weekday: "long" }), shortDays: names(7, { weekday: "short" }),
        months: names(12, { month: "long" }), shortMonths: names(12, { day: "numeric", month: "short" }),
      },
    };
  }

  // Colours of the specifications are names of the sheet's own, so that they hold in the light and in the dark.
  function coloured(spec) {
    const style = getComputedStyle(document.documentElement);
    return JSON.parse(JSON.stringify(spec).replace(/"var\((--[a-z0-9-]+)\)"/g, (_, name) => JSON.stringify(style.getPropertyValue(name).trim())));
  }

  async function draw(root) {
    const wanted = [...root.querySelectorAll(".drawing[data-spec]")];
    if (!wanted.length) return;
    const embed = await bundle();
    for (const place of wanted) {
      const source = document.getElementById(place.dataset.spec);
      if (!source) continue;
      const spec = coloured(JSON.parse(source.textContent));
      try {
        const view = await embed(place, { ...spec, config: looks() }, {
          ...written(), actions: false, ast: true, renderer: "svg", defaultStyle: false,
          tooltip: { disableDefaultStyle: true, theme: "own" },
        });
        drawn.push({ place, view });
      } catch (error) { place.textContent = String(error); }
    }
  }

  function drawAnew() {
    for (const each of drawn) each.view.finalize();
    drawn = [];
    draw(document);
  }

  function follow() {
    if (!document.querySelector("[data-live]") || !window.EventSource) return;
    const source = new EventSource("/live");
    let late = null;
    source.addEventListener("changed", () => {
      clearTimeout(late);
      late = setTimeout(() => htmx.trigger(document.body, "changed"), 200);
    });
  }

  // On the page of the queue a key answers: what it does stands beside each button.
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const button = document.querySelector(`button[data-key="${CSS.escape(event.key)}"]`);
    if (button) { event.preventDefault(); button.click(); }
  });

  function small() { return window.matchMedia("(max-width: 60rem)").matches; }

  document.addEventListener("DOMContentLoaded", () => {
    const menu = document.querySelector("details.menu");
    if (menu && small()) menu.open = false;
    draw(document);
    follow();
    dark.addEventListener("change", drawAnew);
    document.body.addEventListener("htmx:afterSettle", (event) => draw(event.detail.elt));
    document.body.addEventListener("htmx:beforeSwap", (event) => {
      drawn = drawn.filter((each) => {
        const goes = event.detail.target.contains(each.place);
        if (goes) each.view.finalize();
        return !goes;
      });
    });
  });
})();
