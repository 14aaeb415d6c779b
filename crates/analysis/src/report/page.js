// What a reader may do with the page; without this script it shows the same, whole. No library, nothing from outside, nothing kept.
(function () {
"use strict";
const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
const make = (name, attributes, text) => {
  const element = document.createElement(name);
  Object.entries(attributes || {}).forEach(([key, value]) => element.setAttribute(key, value));
  element.textContent = text || "";
  return element;
};
const button = (text, action, attributes) => {
  const made = make("button", Object.assign({ type: "button" }, attributes), text);
  made.addEventListener("click", action);
  return made;
};

// Chapters fold. A link into a folded one opens it, and so does printing.
const chapters = all("details.chapter");
const fold = (open) => chapters.forEach((chapter) => { chapter.open = open; });
const reveal = () => {
  const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
  const inside = target ? all("details.chapter", target) : [];
  const around = target ? target.closest("details.chapter") : null;
  inside.concat(around || []).forEach((chapter) => { chapter.open = true; });
};
addEventListener("beforeprint", () => fold(true));
addEventListener("hashchange", reveal);
reveal();
const navigation = document.querySelector("nav");
if (navigation) {
  // The link of the chapter that the address names already changes no address.
  navigation.addEventListener("click", () => setTimeout(reveal));
  const tools = make("p", { class: "tools" });
  tools.append(button("Fold all chapters", () => fold(false)), button("Unfold all", () => fold(true)));
  navigation.append(tools);
}

// Tables sort by a column: by its numbers where every cell begins with one.
const number = (cell) => {
  const found = cell.replace(/,/g, "").match(/^[\s\u2212-]*\d[\d.]*(e[-+]?\d+)?/i);
  return found ? parseFloat(found[0].replace("\u2212", "-").replace(/\s/g, "")) : null;
};
all("table").forEach((table) => {
  const heads = all("thead th", table);
  heads.forEach((head, column) => {
    const text = head.textContent;
    head.textContent = "";
    head.append(button(text, () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      const body = table.tBodies[0];
      const rows = Array.from(body.rows).map((row) => ({ row: row, text: row.cells[column].textContent.trim() }));
      const numeric = rows.some((it) => number(it.text) !== null) ? rows.every((it) => number(it.text) !== null || !/\d/.test(it.text)) : false;
      // Words among numbers stand before them all.
      const key = (it) => (number(it.text) === null ? -Infinity : number(it.text));
      rows.sort((a, b) => {
        const order = numeric ? Math.sign(key(a) === key(b) ? 0 : key(a) - key(b)) : a.text.localeCompare(b.text);
        return falls ? -order : order;
      });
      rows.forEach((it) => body.append(it.row));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    }, { class: "sort" }));
  });
});

// An entry of a legend that names a series shows and hides it, in every figure that names it.
const entries = [];
all("figure").forEach((figure) => all(".legend li", figure).forEach((item) => {
  const mark = item.querySelector("[class*=' s']");
  const series = mark ? (mark.getAttribute("class").match(/\bs\d+\b/) || [])[0] : null;
  // A swatch that stands for all learners names no mark of the figure.
  if (!series || all(".panels ." + series, figure).length === 0) { return; }
  const name = item.textContent.trim();
  const toggle = button("", () => {
    const off = toggle.getAttribute("aria-pressed") === "true";
    entries.filter((it) => it.name === name).forEach((it) => {
      it.toggle.setAttribute("aria-pressed", String(!off));
      all(".panels ." + it.series, it.figure).forEach((path) => path.classList.toggle("off", off));
    });
  }, { "aria-pressed": "true", title: "Show or hide " + name });
  toggle.append(...Array.from(item.childNodes));
  item.append(toggle);
  entries.push({ name: name, series: series, figure: figure, toggle: toggle });
}));

// The value under the pointer: the nearest mark of the panel, read back from the scales that it was drawn with.
const tip = make("div", { class: "tip", hidden: "hidden", "aria-hidden": "true" });
document.body.append(tip);
const scale = (text) => {
  if (!text) { return null; }
  const [from, to, lo, hi, kind] = text.split(" ").map((part, at) => (at === 4 ? part : parseFloat(part)));
  return (at) => {
    const share = (at - from) / (to - from);
    return kind === "log" ? lo * Math.pow(hi / lo, share) : lo + share * (hi - lo);
  };
};
const places = (path) => {
  const d = path.getAttribute("d") || "";
  const marker = /\b(dot|ring)\b/.test(path.getAttribute("class"));
  return d.split("M").filter(Boolean).flatMap((piece) => {
    const points = (piece.match(/-?[\d.]+ -?[\d.]+/g) || []).map((pair) => pair.split(" ").map(parseFloat));
    const circle = piece.match(/^(-?[\d.]+) (-?[\d.]+)a([\d.]+)/);
    if (circle) { return [[parseFloat(circle[1]) + parseFloat(circle[3]), parseFloat(circle[2])]]; }
    if (!marker) { return points; }
    const ends = [0, 1].map((axis) => points.map((point) => point[axis]));
    return [ends.map((values) => (Math.min(...values) + Math.max(...values)) / 2)];
  });
};
const shown = (value) => (value === 0 ? "0" : String(parseFloat(value.toPrecision(4))));
all("svg.plot").forEach((plot) => {
  const [x, y] = [scale(plot.dataset.x), scale(plot.dataset.y)];
  if (!x) { return; }
  let marks = null;
  const figure = plot.closest("figure");
  plot.addEventListener("pointermove", (event) => {
    marks = marks || all("[class*=' s']", plot).flatMap((path) =>
      places(path).map((place) => ({ path: path, place: place })));
    const box = plot.getBoundingClientRect();
    const unit = plot.viewBox.baseVal.width / box.width;
    const [px, py] = [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
    let [best, least] = [null, 14];
    marks.forEach((mark) => {
      const distance = Math.hypot(mark.place[0] - px, mark.place[1] - py);
      if (least > distance) { if (!mark.path.classList.contains("off")) { [best, least] = [mark, distance]; } }
    });
    tip.hidden = !best;
    if (!best) { return; }
    const series = best.path.getAttribute("class").match(/\bs\d+\b/)[0];
    const named = entries.find((it) => (it.figure === figure ? it.series === series : false));
    const values = [x(best.place[0])].concat(y ? y(best.place[1]) : []).map(shown).join(", ");
    tip.textContent = (named ? named.name + ": " : "") + values;
    tip.style.left = Math.min(event.pageX + 12, scrollX + innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.pageY + 14 + "px";
  });
  plot.addEventListener("pointerleave", () => { tip.hidden = true; });
});

// A figure as a file: its legend and panels one under another, with the page's own style.
const space = "http://www.w3.org/2000/svg";
const drawing = (figure) => {
  const whole = document.createElementNS(space, "svg");
  const style = document.createElementNS(space, "style");
  style.textContent = document.querySelector("style").textContent;
  const paper = document.createElementNS(space, "rect");
  whole.append(style, paper);
  let [width, height] = [0, 12];
  all(".legend li", figure).forEach((item) => {
    const swatch = item.querySelector("svg").cloneNode(true);
    const words = document.createElementNS(space, "text");
    [["x", 12], ["y", height]].forEach(([key, value]) => swatch.setAttribute(key, value));
    [["x", 50], ["y", height + 10], ["font-size", 12.5], ["style", "fill: var(--ink)"]].forEach(([key, value]) => words.setAttribute(key, value));
    words.textContent = item.textContent.trim();
    whole.append(swatch, words);
    height += 20;
  });
  all("svg.plot", figure).forEach((plot) => {
    const panel = plot.cloneNode(true);
    const box = plot.viewBox.baseVal;
    [["x", 12], ["y", height], ["width", box.width], ["height", box.height]].forEach(([key, value]) => panel.setAttribute(key, value));
    whole.append(panel);
    width = Math.max(width, box.width + 24);
    height += box.height + 20;
  });
  const sizes = { xmlns: space, width: width, height: height, viewBox: "0 0 " + width + " " + height, "font-family": "system-ui, sans-serif" };
  Object.entries(sizes).forEach(([key, value]) => whole.setAttribute(key, value));
  [["width", width], ["height", height], ["style", "fill: var(--paper)"]].forEach(([key, value]) => paper.setAttribute(key, value));
  return { width: width, height: height, href: "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(whole)) };
};
const save = (href, name) => {
  const link = make("a", { href: href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
};
all("figure").forEach((figure) => {
  const place = figure.querySelector("p.data");
  if (!place) { return; }
  place.append(" ", button("Save as SVG", () => save(drawing(figure).href, figure.id + ".svg")), " ", button("Save as PNG", () => {
    const drawn = drawing(figure);
    const image = new Image();
    image.onload = () => {
      const canvas = make("canvas", { width: 2 * drawn.width, height: 2 * drawn.height });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      save(canvas.toDataURL("image/png"), figure.id + ".png");
    };
    image.src = drawn.href;
  }));
});
}());
