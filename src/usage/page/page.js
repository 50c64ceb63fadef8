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
  const marks = (u) => {
    const { ctx } = u;
    ctx.save();
    ctx.lineWidth = 2;
    ctx.font = "24px sans-serif";
    for (const mark of page.marks) {
      const x = u.valToPos(mark.at, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      ctx.strokeStyle = mark.kind === "rotation" ? "#2a7" : "#c22";
      ctx.setLineDash(mark.kind === "rotation" ? [4, 4] : []);
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top);
      ctx.lineTo(x, u.bbox.top + u.bbox.height);
      ctx.stroke();
    }
    ctx.restore();
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
  for (const button of document.querySelectorAll("button"))
    button.addEventListener("click", () => draw(button.dataset.measure));
  addEventListener("resize", () => draw(document.body.dataset.drawn));
  if (page.times.length > 0) draw(page.first);
})();
