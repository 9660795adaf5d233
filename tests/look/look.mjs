// Copyright (c) 2026, the dalp.restate contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Looks at pages in headless Chromium as people do: node look.mjs CHROMIUM NODE_MODULES PICTURES PAGE...
// Prints, as JSON, what it saw of each page, at two widths, dark and light.

import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [chromium, modules, pictures, ...pages] = process.argv.slice(2)
const require = createRequire(pathToFileURL(join(modules, 'nothing.js')))
const axe = require.resolve('axe-core/axe.min.js')
const { chromium: driver } = require('playwright-core')

const browser = await driver.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
const seen = []
for (const path of pages) {
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      seen.push(await look(path, width, colorScheme))
    }
  }
}
await browser.close()
console.log(JSON.stringify(seen))

async function look (path, width, colorScheme) {
  // axe is a script, which the page itself forbids
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true })
  const told = []
  const asked = []
  page.on('console', message => told.push(message.text()))
  page.on('pageerror', error => told.push(String(error)))
  page.on('dialog', dialog => { told.push(`dialog ${dialog.message()}`); dialog.dismiss() })
  page.on('request', request => asked.push(request.url()))
  await page.goto(pathToFileURL(path).href)
  const name = `${basename(path, '.html')}-${width}-${colorScheme}`
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  const stops = await reached(page)
  await page.evaluate(() => document.querySelectorAll('details').forEach(each => { each.open = true }))
  const overflowOpen = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  await page.addScriptTag({ path: axe })
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  await page.close()
  return {
    name,
    told,
    asked: asked.filter(url => url !== pathToFileURL(path).href && !url.startsWith('file://' + axe)),
    overflow: Math.max(overflow, overflowOpen),
    stops,
    violations: violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' | ')}`),
  }
}

// What a keyboard comes to, of all that can be acted on
async function reached (page) {
  const wanted = await page.evaluate(() => document.querySelectorAll('a, summary, [tabindex="0"]').length)
  const came = new Set()
  for (let number = 0; number < Math.min(wanted, 60); number++) {
    await page.keyboard.press('Tab')
    came.add(await page.evaluate(() => {
      const all = [...document.querySelectorAll('a, summary, [tabindex="0"]')]
      return all.indexOf(document.activeElement)
    }))
  }
  came.delete(-1)
  return { wanted: Math.min(wanted, 60), reached: came.size }
}
