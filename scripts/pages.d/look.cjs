// See scripts/pages. node look.cjs BROWSER FEEDMILL FOLDER
"use strict";

const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { spawn, execFileSync } = require("node:child_process");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [browserPath, program, screenshots] = process.argv.slice(2);
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const problems = [];
let axeChecks = 0;

const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** An Atom document of [title, text, address, language]. */
function atom(name, entries) {
  const written = entries.map(([title, text, address, language], index) => {
    const at = new Date(Date.UTC(2026, 9, 30, 12) - index * 5_400_000).toISOString();
    return `<entry xml:lang="${language || "en"}"><title>${escaped(title)}</title><id>tag:${name}.example,2026:${index}</id>
      <link href="${escaped(address)}"/><published>${at}</published><updated>${at}</updated>
      <content type="html">${escaped(text)}</content></entry>`;
  });
  return `<feed xmlns="http://www.w3.org/2005/Atom"><title>${name}</title><id>tag:${name}.example,2026:feed</id>
    <link href="https://${name}.example/"/><updated>2026-10-30T12:00:00Z</updated>${written.join("")}</feed>`;
}

const PACT = `<p>Leaders of both countries signed a comprehensive agreement on trade, investment, culture and security on Thursday after
  two days of talks in the capital that were watched closely by all of their neighbours.</p><p><img src="https://elsewhere.example/track.gif"
  alt=""> More talks follow in spring, when delegations meet again to settle what was left open.</p>`;

/** What publishers send, with what pages have to bear. */
function sources() {
  const common = ["Leaders sign a mutual defence pact after talks", PACT, "https://wire.example/news/pact"];
  const long = `Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung${"x".repeat(90)} and what comes after it`;
  const wire = [
    common,
    ["<script>alert('title')</script> & \"quotes\"", "<p>Text <script>alert(1)</script>of it.</p>", "https://wire.example/news/script"],
    [long, `<p>${long} ${long}</p>`, `https://wire.example/${"long/".repeat(30)}`],
    ["محادثات السلام تستأنف في العاصمة", "<p>استأنف الوفدان المحادثات صباح اليوم.</p>", "https://wire.example/ar/1", "ar"],
    ["東京で新しい美術館が開館", "<p>新しい美術館が火曜日に開館した。</p>", "https://wire.example/ja/1", "ja"],
    ["", "<p>An entry without a title begins with its own text, which has to do.</p>", "https://wire.example/untitled"],
  ];
  for (let index = 0; index < 70; index += 1) {
    wire.push([`Report ${index}: the harbour counts its ships`, `<p>Ships number ${index} came and went, and the harbour master wrote all of
      them down in a book that nobody reads but him.</p>`, `https://wire.example/news/${index}`]);
  }
  return { wire: atom("wire", wire), desk: atom("desk", [["Pact signed", PACT, `${common[2]}?utm_source=desk`]]) };
}

const CONFIG = (port) => `[server]
listen = "127.0.0.1:${port}"
title = "The Morning Mill"
[topics.world-news]
title = "World News"
match = 'title:pact OR category:world'
[topics.quiet]
title = "A quiet topic with a rather long title that has to go somewhere"
match = 'title:nothingatall'
[sources.wire]
url = "file:wire.atom"
title = "Wire Service"
topics = ["world-news"]
[sources.desk]
url = "file:desk.atom"
topics = ["world-news"]
[sources.lost]
url = "file:a/file/that/is/not/there.atom"
title = "Lost & <Found>"
`;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The daemon over a folder of its own, with everything polled once. */
async function start() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "feedmill-pages-"));
  for (const [name, text] of Object.entries(sources())) fs.writeFileSync(path.join(folder, `${name}.atom`), text);
  const port = await freePort();
  fs.writeFileSync(path.join(folder, "feeds.toml"), CONFIG(port));
  const binary = path.resolve(program);
  const child = spawn(binary, [], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  await new Promise((resolve, reject) => {
    let log = "";
    child.stderr.on("data", (data) => {
      log += data;
      if (log.includes(`127.0.0.1:${port}`)) resolve();
    });
    child.once("exit", () => reject(new Error(`the daemon ended:\n${log}`)));
  });
  // One source is lost on purpose, so that the command fails.
  try {
    execFileSync(binary, ["poll", "--force"], { cwd: folder, stdio: "ignore" });
  } catch {}
  return { child, folder, base: `http://127.0.0.1:${port}` };
}

/** Pages by their names, with the status that they answer with. */
async function addresses(base) {
  const items = (await (await fetch(`${base}/all.json?q=pact`)).json()).items;
  const id = items[0].id.replace("urn:uuid:", "");
  const listing = await (await fetch(`${base}/all`, { headers: { accept: "text/html" } })).text();
  const older = listing.match(/href="(all\?before=[^"]+)" rel="next"/)[1].replaceAll("&#38;", "&");
  return {
    front: ["/", 200],
    all: ["/all", 200],
    older: [`/${older}`, 200],
    topic: ["/topics/world-news", 200],
    quiet: ["/topics/quiet", 200],
    source: ["/sources/wire", 200],
    failing: ["/sources/lost", 200],
    help: ["/search", 200],
    search: ["/topics/world-news?q=title:report+-pact&since=2026-10-01&limit=20", 200],
    nothing: ["/search?q=%22there+is+no+such+phrase%22", 200],
    bad: ["/search?q=title:(pact+OR", 400],
    unknown: ["/topics/wrld-news", 404],
    nowhere: ["/not/a/page", 404],
    preview: ["/topics/world-news.atom", 200],
    entry: [`/entries/${id}?in=world-news`, 200],
    missing: ["/entries?url=https://wire.example/never", 404],
  };
}

function problem(where, what) {
  problems.push(`${where}: ${what}`);
}

/** Notes what the browser complains of, and what it asks for elsewhere. */
function watch(page, base, name) {
  page.on("console", (message) => {
    const isItsOwnStatus = message.location().url === page.url() && /status of 4\d\d/.test(message.text());
    if (["error", "warn"].includes(message.type()) && !isItsOwnStatus) problem(name, `console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problem(name, `script: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${base}/`)) problem(name, `asks another host: ${request.url()}`);
  });
  page.on("response", (response) => {
    const isPage = response.request().isNavigationRequest();
    if (!isPage && response.status() >= 400) problem(name, `${response.status()} for ${response.url()}`);
  });
}

async function look(browser, base, name, [address, status], theme, width) {
  const page = await browser.newPage();
  const where = `${name} ${theme} ${width}`;
  watch(page, base, where);
  await page.setViewport({ width, height: 800, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  const response = await page.goto(base + address, { waitUntil: "load" });
  // A page that was looked at before is asked for again, and has not changed.
  const answered = response.status() === 304 ? 200 : response.status();
  if (answered !== status) problem(where, `answers ${response.status()} and not ${status}`);
  await page.screenshot({ path: path.join(screenshots, `${name}-${theme}-${width}.png`), fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problem(where, `is ${wide} pixels wider than the screen`);
  await page.evaluate(axe);
  const found = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, preload: false }), TAGS);
  axeChecks += found.passes.length;
  for (const violation of found.violations) {
    problem(where, `axe ${violation.id}: ${violation.help}\n    ${violation.nodes.slice(0, 3).map((node) => node.html).join("\n    ")}`);
  }
  await page.close();
}

/** Tab leads to the skip link first, and it leads to the content. */
async function skips(browser, base) {
  const page = await browser.newPage();
  await page.goto(base);
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.className);
  await page.keyboard.press("Enter");
  const second = await page.evaluate(() => document.activeElement.id);
  if (first !== "skip" || second !== "content") problem("keyboard", `Tab leads to ${first}, Enter to ${second}`);
  await page.close();
}

async function main() {
  const daemon = await start();
  let browser;
  try {
    const flags = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
    browser = await puppeteer.launch({ executablePath: browserPath, args: flags });
    const pages = await addresses(daemon.base);
    for (const [name, page] of Object.entries(pages)) {
      for (const theme of ["light", "dark"]) {
        for (const width of [360, 1280]) await look(browser, daemon.base, name, page, theme, width);
      }
    }
    await skips(browser, daemon.base);
    console.log(`${Object.keys(pages).length} pages, ${axeChecks} rules of axe passed; screenshots in ${screenshots}`);
  } finally {
    await browser?.close();
    daemon.child.kill();
    await new Promise((resolve) => daemon.child.once("exit", resolve));
    fs.rmSync(daemon.folder, { recursive: true, force: true });
  }
  for (const found of problems) console.log(found);
  console.log(problems.length === 0 ? "no problems" : `${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
