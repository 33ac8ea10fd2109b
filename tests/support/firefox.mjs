// Drives Debian's Firefox ESR by WebDriver BiDi for tests/support/firefox.py.
//
// Playwright cannot speak to this Firefox (it asks for BiDi commands that the ESR lacks), puppeteer can. One request per
// line on stdin, one answer per line on stdout, both JSON:
//   {"open": URL, "prepare": SCRIPT}   {"evaluate": SOURCE}   {"screenshot": PATH}
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: "/usr/bin/firefox-esr",
  headless: true,
  extraPrefsFirefox: {
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": false,
    // Nothing of Firefox's own may ask the network for anything.
    "app.update.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "media.gmp-manager.updateEnabled": false,
  },
});
const page = await browser.newPage();

async function answer(request) {
  if (request.open) {
    await page.evaluateOnNewDocument(request.prepare);
    await page.goto(request.open, { waitUntil: "load" });
    return true;
  }
  if (request.screenshot) {
    await page.screenshot({ path: request.screenshot });
    return true;
  }
  return await page.evaluate(request.evaluate);
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    let reply;
    try {
      reply = { value: await answer(JSON.parse(line)) };
    } catch (error) {
      reply = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
} finally {
  await browser.close();
}
