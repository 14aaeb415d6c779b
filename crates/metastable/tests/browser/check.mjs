// Opens a report in Chromium, on a phone and a wide screen, light and dark: no console error, nothing wider than the screen,
// a link to every chapter, no text outside of its drawing or on top of another, no serious finding of axe; that folding, sorting, hiding a
// series, reading a value and saving a figure do so. With a folder, leaves a screenshot of each part.
//
//   npm install playwright-core axe-core        (anywhere; tests of the workspace need none of this)
//   CHROMIUM=/usr/bin/chromium node crates/metastable/tests/browser/check.mjs runs/quick/report.html [FOLDER]
//
// Exit code 1 with a line for each problem.

import { mkdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// From where it is called, so that the package need not lie in this repository.
const here = createRequire(resolve("package.json"));
const { chromium } = here("playwright-core");
const axe = here.resolve("axe-core/axe.min.js");

const [report, folder] = process.argv.slice(2);
if (!report) {
  console.error("usage: node check.mjs REPORT.html [FOLDER]");
  process.exit(2);
}
if (folder) mkdirSync(folder, { recursive: true });

const problems = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});

for (const width of [390, 1440]) {
  for (const scheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
    const at = `${width} px, ${scheme}`;
    page.on("console", (said) => said.type() === "error" && problems.push(`${at}: console: ${said.text()}`));
    page.on("pageerror", (error) => problems.push(`${at}: ${error}`));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) problems.push(`${at}: asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(resolve(report)).href);
    for (const found of await page.evaluate(inspect)) problems.push(`${at}: ${found}`);
    if (folder) {
      for (const [index, { name, box }] of (await page.evaluate(parts)).entries()) {
        const number = String(index).padStart(2, "0");
        await page.screenshot({ path: `${folder}/${width}-${scheme}-${number}-${name}.png`, fullPage: true, clip: box });
      }
    }
    for (const found of await uses(page)) problems.push(`${at}: ${found}`);
    await page.close();
    for (const found of await accessible(width, scheme)) problems.push(`${at}: ${found}`);
  }
}
await browser.close();

for (const problem of new Set(problems)) console.log(problem);
console.log(`${new Set(problems).size} problems in ${report}`);
process.exit(problems.length ? 1 : 0);

// Serious findings of axe. Its script is not the page's own, so the policy is put aside for it alone.
async function accessible(width, scheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true });
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(report)).href);
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  await context.close();
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return serious.map(({ id, help, nodes }) => `axe: ${id}: ${help} (${nodes.length}: ${nodes[0].html.slice(0, 120)})`);
}

// What a reader does with the page by its script.
async function uses(page) {
  const found = [];
  const expect = (holds, what) => holds || found.push(what);
  const nOpen = () => page.locator("details.chapter[open]").count();
  const all = await nOpen();
  await page.getByRole("button", { name: "Fold all chapters" }).click();
  expect((await nOpen()) === 0, "chapters do not fold");
  const link = page.locator("nav a").last();
  await link.click();
  expect((await nOpen()) === 1, "a link does not open its chapter");
  await page.getByRole("button", { name: "Unfold all" }).click();
  expect((await nOpen()) === all, "chapters do not unfold");

  for (const table of await page.locator("table:has(tbody tr:nth-child(2))").all()) {
    const cells = () => table.locator("tbody tr > :first-child").allTextContents();
    const head = table.locator("thead .sort").first();
    if (!(await head.isVisible())) continue;
    await head.click();
    const up = await cells();
    await head.click();
    expect(up.length > 1 && (await table.locator("thead th").first().getAttribute("aria-sort")) === "descending", "a table does not sort");
    expect(up.join() !== (await cells()).join() || new Set(up).size === 1, `a table keeps its order: ${up.join()}`);
    break;
  }

  const entry = page.locator(".legend button").first();
  if (await entry.count()) {
    await entry.click();
    expect((await page.locator(".off").count()) > 0, "a series is not hidden");
    await entry.click();
    expect((await page.locator(".off").count()) === 0, "a series does not come back");
  }

  const mark = page.locator("svg.plot path.dot, svg.plot path.ring").first();
  if (await mark.count()) {
    await mark.scrollIntoViewIfNeeded();
    const value = await mark.evaluate((path) => {
      const [, x, y, r] = path.getAttribute("d").match(/^M(-?[\d.]+) (-?[\d.]+)(?:a([\d.]+))?/).map(Number);
      const plot = path.closest("svg");
      const box = plot.getBoundingClientRect();
      const unit = box.width / plot.viewBox.baseVal.width;
      return { x: box.left + (x + (r || 0)) * unit, y: box.top + y * unit };
    });
    await page.mouse.move(value.x, value.y);
    expect(/\d/.test(await page.locator(".tip").textContent()), "no value under the pointer");
    await page.mouse.move(0, 0);
  }

  for (const kind of ["SVG", "PNG"]) {
    const saved = page.waitForEvent("download", { timeout: 10000 }).catch(() => null);
    await page.getByRole("button", { name: `Save as ${kind}` }).first().click();
    const file = await saved;
    expect(file && file.suggestedFilename().endsWith(kind.toLowerCase()), `a figure is not saved as ${kind}`);
    const path = file && (await file.path());
    expect(path && statSync(path).size > 2000, `a figure saved as ${kind} is empty`);
  }
  return found;
}

// In the page: what a screenshot is taken of, and where it is.
function parts() {
  return [...document.querySelectorAll("header, nav, main > section")].map((part) => {
    const { x, y, width, height } = part.getBoundingClientRect();
    // With the margin, into which the numbers of a list reach.
    const box = { x: Math.max(x - 16, 0), y: y + scrollY, width: Math.min(width + 32, innerWidth), height };
    return { name: part.id || part.tagName.toLowerCase(), box };
  });
}

// In the page: everything that is wrong.
function inspect() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} px wide`);
  // What scrolls inside itself may be wider than the screen.
  const scrolls = (element) => {
    for (let it = element; it && it !== document.body; it = it.parentElement) {
      if (/auto|scroll|hidden/.test(getComputedStyle(it).overflowX)) return true;
    }
    return false;
  };
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > innerWidth + 1 && !element.closest("svg *") && !scrolls(element)) {
      found.push(`<${element.tagName.toLowerCase()}> of #${element.closest("section")?.id} reaches ${Math.round(box.right)} px`);
    }
  }
  const links = new Set([...document.querySelectorAll("nav a")].map((link) => link.getAttribute("href")));
  for (const section of document.querySelectorAll("main > section")) {
    if (!links.has(`#${section.id}`)) found.push(`no link to #${section.id}`);
    if (section.getBoundingClientRect().height < 20) found.push(`#${section.id} is empty`);
  }
  for (const link of links) {
    if (!document.querySelector(link)) found.push(`the link ${link} leads nowhere`);
  }
  for (const drawing of document.querySelectorAll("figure svg[viewBox]")) {
    const name = drawing.querySelector("title")?.textContent ?? drawing.id;
    const frame = drawing.getBoundingClientRect();
    const texts = [...drawing.querySelectorAll("text")].map((text) => ({
      words: text.textContent,
      box: text.getBoundingClientRect(),
      turned: /rotate/.test(text.getAttribute("transform") ?? ""),
    }));
    for (const { words, box } of texts) {
      const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
      if (out > 1.5) found.push(`"${words}" is cut by ${Math.round(out)} px in "${name}"`);
    }
    for (const [index, one] of texts.entries()) {
      for (const other of texts.slice(index + 1)) {
        if (one.turned || other.turned || one.words === other.words) continue;
        const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const tall = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        const high = Math.min(one.box.height, other.box.height);
        if (wide > 3 && tall > 0.35 * high) found.push(`"${one.words}" and "${other.words}" overlap in "${name}"`);
      }
    }
  }
  return found;
}
