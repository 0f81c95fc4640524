// Drives the page in a real browser. Reads its orders from the environment variable ORDERS (JSON):
//   { address, exec: [argv…], execVia: [argv…], shown, inTree, hostile: [[argv…]…], host, shots: folder | null; each left
//     out skips what it is for: noise: { query }, alert, erase: [argv…], stop: [argv…] and start: [argv…] of the agent }
// Prints one line a check, "ok NAME" or "FAILED NAME: why", and ends with 1 if one failed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
const { chromium } = createRequire(new URL("../../ui/package.json", import.meta.url))("playwright-core");

const orders = JSON.parse(process.env.ORDERS);
const profile = mkdtempSync(join(tmpdir(), "exectrail-page-"));
let failed = 0;

async function check(name, what) {
  try {
    await what();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${name}: ${String(error.message ?? error).split("\n").slice(0, 6).join(" | ")}`);
    await page.screenshot({ path: join(orders.shots ?? tmpdir(), `failed-${name.replace(/\W+/g, "-")}.png`) }).catch(() => {});
  }
}

function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(got)} is not ${JSON.stringify(wanted)}`);
}

function execute(argv) {
  const done = spawnSync(argv[0], argv.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  if (done.error) throw done.error;
  return done;
}

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1440, height: 900 },
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = browser.pages()[0] ?? (await browser.newPage());
const complaints = [];
let dialogs = 0;
page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
page.on("pageerror", (e) => complaints.push(String(e)));
let answers = []; // to the dialogs that are expected
page.on("dialog", (d) => (answers.length ? d.accept(answers.shift()) : (dialogs++, d.dismiss())));
const shot = async (name) => orders.shots && (await page.screenshot({ path: join(orders.shots, `${name}.png`) }));
const row = (text) => page.locator(".rows .row", { hasText: text }).first();

try {
  await check("the login link opens the live view", async () => {
    await page.goto(orders.address);
    await page.getByRole("button", { name: "Live" }).waitFor({ timeout: 15000 });
    equal(await page.getByRole("button", { name: "Live" }).getAttribute("aria-pressed"), "true", "live");
    await page.getByText("run whoami in any terminal").waitFor();
    if (page.url().includes("login=")) throw new Error("the secret stays in the address");
  });
  await page.waitForTimeout(1500); // the tail is connected

  await check("a command slides in, exact", async () => {
    const begin = Date.now();
    execute(orders.execVia);
    await row(orders.shown).waitFor({ timeout: 10000 });
    console.log(`    on the page ${Date.now() - begin} ms after it was started`);
  });
  await shot("live");

  await check("a click shows the exact arguments", async () => {
    await row(orders.shown).click();
    await page.locator(".drawer .args li").first().waitFor();
    equal(await page.locator(".drawer .args li code").allTextContents(), orders.exec.map((a) => a || "empty"), "arguments");
    const call = page.locator(".drawer .fields tr").filter({ hasText: "auditd.data.syscall" });
    equal(await call.locator(".meaning").textContent(), "execve", "what the number of the call means");
  });
  await shot("drawer");

  await check("an exec and its end are one row", async () => {
    await page.locator(".drawer p.ended", { hasText: /^ended with code 0 after/ }).waitFor({ timeout: 1 }).catch(async () => {
      await page.locator(".drawer .close").click(); // it had not ended when it was clicked
      await row(orders.shown).locator(".ended", { hasText: /^0 / }).waitFor();
      await row(orders.shown).click();
      await page.locator(".drawer p.ended", { hasText: /^ended with code 0 after/ }).waitFor();
    });
    equal(await page.locator(".rows .row .command", { hasText: /^exited/ }).count(), 0, "rows of ends");
  });

  await check("a click on its session shows its processes as a tree, and as a list", async () => {
    await page.locator(".drawer .session-link").click();
    await page.getByRole("heading", { name: /^Session \d+ on/ }).waitFor();
    try {
      const process = page.locator(".tree .process", { hasText: orders.inTree }).first();
      await process.waitFor();
      if (!/exit 0/.test(await process.textContent())) throw new Error(`no end: ${await process.textContent()}`);
      await page.locator(".tree .step.executed", { hasText: orders.inTree }).first().waitFor();
      await shot("session");
      await page.getByRole("button", { name: "as a list" }).click();
      await row(orders.shown).waitFor();
    } finally {
      await page.goBack();
    }
  });

  await check("hostile command lines are harmless visible text", async () => {
    for (const argv of orders.hostile) execute(argv);
    await row("<img src=x onerror=alert(1)>").waitFor({ timeout: 10000 });
    equal(await page.locator(".rows img").count(), 0, "images made of text");
    equal(dialogs, 0, "dialogs");
    await row("⟨U+202E⟩").waitFor();
    await row("\\x1b").waitFor();
  });

  await check("clearing the filter shows all with the histogram", async () => {
    await page.getByRole("button", { name: "Clear the filter" }).click();
    await page.locator(".histogram canvas").waitFor();
    if ((await page.locator(".rows .row").count()) < 3) throw new Error("hardly any rows");
  });
  await shot("all");

  await check("stages make a table, which is sorted by a click and leads back to events", async () => {
    const box = page.getByRole("textbox", { name: "Query" });
    await box.fill("action:executed | stats count() by host, comm");
    await page.keyboard.press("Enter");
    const cells = page.locator(".stats tbody td.number");
    await cells.first().waitFor();
    await page.getByRole("button", { name: "count()" }).click();
    const counts = (await cells.allTextContents()).map(Number);
    equal(counts, [...counts].sort((a, b) => b - a), "greatest first");
    await page.locator(".stats tbody tr").first().getByRole("button").nth(1).click();
    await page.locator(".rows .row").first().waitFor();
    if (!/^\(action:executed\) and comm:/.test(await box.inputValue())) throw new Error(await box.inputValue());
    await box.fill("");
    await page.keyboard.press("Enter");
    await page.locator(".rows .row").first().waitFor();
  });

  await check("a query error points at its place", async () => {
    await page.getByRole("textbox", { name: "Query" }).fill("usr:alice");
    await page.keyboard.press("Enter");
    await page.locator(".problem").getByText("usr").first().waitFor();
    await page.getByRole("textbox", { name: "Query" }).fill("");
    await page.keyboard.press("Enter");
    await page.locator(".problem").waitFor({ state: "detached" });
  });

  await check("noise is hidden, counted, and shown by one switch", async () => {
    if (!orders.noise) return;
    await page.getByRole("textbox", { name: "Query" }).fill(orders.noise.query);
    await page.keyboard.press("Enter");
    await page.getByText(/^[1-9][\d,]* hidden as noise/).waitFor();
    equal(await page.locator(".rows .row.noise").count(), 0, "noise rows while hidden");
    await page.getByText(/hidden as noise/).click();
    await page.locator(".rows .row.noise").first().waitFor();
  });

  await check("alerts are listed and can be acknowledged", async () => {
    if (!orders.alert) return;
    await page.getByRole("link", { name: /Alerts/ }).click();
    const first = page.locator("tr.alert", { hasText: orders.alert }).first();
    await first.waitFor({ timeout: 10000 });
    await shot("alerts");
    await first.getByRole("button", { name: "Acknowledge" }).click();
    await page.locator("tr.alert.acknowledged", { hasText: orders.alert }).first().waitFor();
  });

  await check("an alert whose event is erased says so", async () => {
    if (!orders.erase) return;
    await page.getByRole("link", { name: "Hosts" }).click();
    const done = execute(orders.erase);
    equal(done.status, 0, String(done.stderr));
    await page.getByRole("link", { name: /Alerts/ }).click();
    await page.locator("tr.alert .command", { hasText: /^erased$/ }).first().waitFor();
  });

  await check("hosts say how they listen and what that can claim", async () => {
    await page.getByRole("link", { name: "Hosts" }).click();
    const host = page.locator("tr.connected", { hasText: orders.host });
    await host.waitFor();
    await shot("hosts");
    await host.locator(".proved button", { hasText: /complete$/ }).click();
    await page.locator("tr.evidence", { hasText: /No gap| to / }).waitFor();
  });

  await check("a host says how full its spool is", async () => {
    await page.route("**/api/v1/hosts", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      const waits = { spool_batches: 7, spool_bytes: 305, spool_max_bytes: 1000, spool_oldest_s: 12, spool_dropped: 4, flood_counted: 9 };
      for (const host of body.hosts) Object.assign(host, waits);
      await route.fulfill({ response: answer, json: body });
    });
    const cell = page.locator("tr[data-host]", { hasText: orders.host }).locator("td.spool");
    await cell.filter({ hasText: /^7\s*30 % full\s*oldest 12 s$/ }).waitFor();
    equal(await cell.getAttribute("title"), "4 events were dropped, 9 of storms were counted", "its title");
    equal(await cell.getAttribute("class"), "number spool bad", "its class");
    await shot("spool");
    await page.unroute("**/api/v1/hosts");
    await page.locator("tr[data-host]", { hasText: orders.host }).locator("td.spool", { hasText: /^\d+$/ }).waitFor();
  });

  await check("a host that was told to stop is shown as stopped, and as connected when it watches again", async () => {
    if (!orders.stop) return;
    equal(execute(orders.stop).status, 0, "stopping");
    const host = page.locator("tr.stopped", { hasText: orders.host });
    await host.waitFor();
    await host.locator("td", { hasText: /^\s*stopped$/ }).waitFor();
    await host.locator(".gap", { hasText: /s stopped$/ }).waitFor();
    await page.locator("tr.evidence li", { hasText: "told to end" }).waitFor(); // it was opened before that
    await shot("stopped");
    equal(execute(orders.start).status, 0, "starting");
    await page.locator("tr.connected", { hasText: orders.host }).waitFor();
  });

  await check("a host is put into a group, quarantined and released", async () => {
    const host = page.locator("tr[data-host]", { hasText: orders.host });
    answers = ["web-servers", ""];
    await host.locator("button.group").click();
    await host.locator("button.group", { hasText: "web-servers" }).waitFor();
    await host.getByRole("button", { name: "Quarantine" }).click();
    await page.locator("tr.quarantined", { hasText: orders.host }).waitFor();
    await host.getByRole("button", { name: "Release" }).click();
    await page.locator("tr.quarantined", { hasText: orders.host }).waitFor({ state: "detached" });
    equal(answers, [], "questions asked");
  });

  await check("the browser complained of nothing", async () => {
    equal(complaints.filter((c) => !/status of 400/.test(c)), [], "console");
  });
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
