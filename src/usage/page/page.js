"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const colours = ["#4878d0", "#ee854a", "#6acc64", "#d65f5f", "#956cb4", "#8c613c", "#dc7ec0", "#797979", "#d5bb67", "#82c6e2"];
  const colour = (n) => colours[n % colours.length];
  const plot = document.getElementById("plot");
  let chart = null;
  // Each service stands on the sum of those below it; the lowest is drawn last, so that it is not covered.
  const stacked = (measure) => {
    const sum = page.times.map(() => 0);
    return page.services.map((service) => service[measure].map((value, i) => (sum[i] += value)));
  };
  // A sign is told by its colour and by its dashes.
  const signs = {
    rotation: ["#2a7", [6, 4], "rotation"],
    emergency: ["#c22", [6, 4], "emergency rotation"],
    finding: ["#83c", [2, 3], "stands in code since"],
    spike: ["#c22", [], "spike"],
    other: ["#666", [1, 4], "other alert"],
  };
  const sign = (kind) => signs[kind] || signs.other;
  // Over the drawing, since a stack covers what lies under it: a veil, and a bar at the top.
  const windows = (u, ratio) => {
    const { ctx, bbox } = u;
    for (const { from, to } of page.overlaps) {
      const left = Math.max(bbox.left, u.valToPos(from, "x", true));
      const right = Math.min(bbox.left + bbox.width, u.valToPos(to, "x", true));
      if (!(right > left)) continue;
      ctx.fillStyle = "rgba(34, 170, 119, .18)";
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.fillStyle = "#2a7";
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), 6 * ratio);
    }
  };
  const marks = (u) => {
    const { ctx, bbox } = u;
    const ratio = uPlot.pxRatio || 1;
    ctx.save();
    windows(u, ratio);
    ctx.lineWidth = 2 * ratio;
    for (const mark of page.marks) {
      const x = u.valToPos(mark.at, "x", true);
      if (!(x >= bbox.left && x <= bbox.left + bbox.width)) continue;
      const [stroke, dashes] = sign(mark.kind);
      ctx.strokeStyle = stroke;
      ctx.setLineDash(dashes.map((n) => n * ratio));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
    document.body.dataset.windows = page.overlaps.length;
    document.body.dataset.marks = page.marks.length;
  };
  const draw = (measure) => {
    for (const button of document.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.measure === measure));
    const sums = stacked(measure);
    const order = sums.map((_, n) => n).reverse();
    const series = [{}].concat(order.map((n) => ({
      label: page.services[n].name, stroke: colour(n), fill: colour(n), width: 1, points: { show: false },
      paths: uPlot.paths.stepped({ align: 1 }),
    })));
    if (chart) chart.destroy();
    chart = new uPlot({
      width: Math.max(320, plot.clientWidth), height: 360, series,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
      scales: { y: { range: (u, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [{}, { size: 80 }],
      cursor: { drag: { x: true, y: false } },
      hooks: { draw: [marks] },
    }, [page.times].concat(order.map((n) => sums[n])), plot);
    document.body.dataset.drawn = measure;
  };
  const legend = document.getElementById("legend");
  page.services.forEach((service, n) => {
    const item = document.createElement("span");
    const box = document.createElement("i");
    box.style.background = colour(n);
    item.append(box, service.name);
    legend.append(item);
  });
  const explained = document.getElementById("signs");
  const explain = (text, style) => {
    const item = document.createElement("span");
    const line = document.createElement("i");
    Object.assign(line.style, style);
    item.append(line, text);
    explained.append(item);
  };
  for (const kind of new Set(page.marks.map((mark) => (signs[mark.kind] ? mark.kind : "other")))) {
    const [stroke, dashes, text] = signs[kind];
    explain(text, { borderTop: `2px ${dashes.length === 0 ? "solid" : dashes[0] > 2 ? "dashed" : "dotted"} ${stroke}` });
  }
  if (page.overlaps.length > 0)
    explain("old and new key both work", { borderTop: "6px solid #2a7", background: "rgba(34, 170, 119, .18)", height: "1rem" });
  for (const button of document.querySelectorAll("button"))
    button.addEventListener("click", () => draw(button.dataset.measure));
  addEventListener("resize", () => draw(document.body.dataset.drawn));
  if (page.times.length > 0) draw(page.first);
})();
