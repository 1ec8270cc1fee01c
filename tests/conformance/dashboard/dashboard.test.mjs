// The dashboard as people use it, against everything as `ccd402 dev` runs it.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { browser, Dev, openPage, until } from './parts.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** Where screenshots for the tour are put, if somebody wants them. */
const PICTURES = process.env.CCD402_PICTURES;
const HOSTILE = 'https://evil.example.com/"><script>alert(1)</script><img src=x onerror=alert(1)>';

let dev, opened, operator, reader, stranger, confirmed, hostile;

before(async () => {
    dev = await Dev.start();
    opened = await browser();
    operator = await dev.key('Night shift', 'operate');
    reader = await dev.key('Shop window', 'read,submit');
    stranger = await dev.key('Somebody else', 'read', 'other');
    await dev.pay('/report');
    await dev.pay('/article');
    await dev.pay('/token-article', '5 EURR');
    confirmed = (await dev.api('/v1/verifications?status=confirmed')).verifications[0].id;
    // Bound to another request: refused.
    const wrong = await dev.captured('/report');
    wrong.paymentRequirements.amount = '1';
    if (wrong.paymentPayload.accepted) wrong.paymentPayload.accepted.amount = '1';
    await dev.submit(wrong);
    const body = await dev.captured('/report');
    body.paymentRequirements.extra.resource = HOSTILE;
    if (body.paymentRequirements.resource) body.paymentRequirements.resource = HOSTILE;
    if (body.paymentPayload.accepted) body.paymentPayload.accepted = body.paymentRequirements;
    if (body.paymentPayload.resource) {
        Object.assign(body.paymentPayload.resource, { url: HOSTILE, description: HOSTILE });
    }
    hostile = await dev.submit(body);
});

after(async () => {
    await opened?.close();
    await dev?.stop();
});

const rows = (page) => page.$$eval('#live tbody tr', (found) => found.map((row) => row.id.slice(2)));

/** What everybody does: sign in, look around, see the past, act, sign out. */
async function tour(page, withScript) {
    await page.signIn(operator.key);
    assert.match(await page.text(), /Night shift/);
    const paid = (await dev.api('/v1/verifications?status=confirmed')).verifications;
    const tile = await page.$eval('.tile.confirmed .number', (number) => number.textContent);
    assert.equal(tile, String(paid.length));
    const sum = paid.filter(({ payment }) => payment.asset === 'CCD').reduce((all, { payment }) => all + Number(payment.amount), 0);
    assert.ok((await page.text()).includes(`${sum / 1e6} CCD`), 'volume in the asset’s units');
    assert.match(await page.text(), /2 EURR/);

    await page.submits('a.tile.failed');
    const failed = await rows(page);
    assert.ok(failed.length >= 1 && !failed.includes(confirmed));
    await page.open('/verifications?asset=eurr');
    assert.equal((await rows(page)).length, 1);
    await page.open(`/verifications?payer=${'3'.repeat(50)}`);
    assert.match(await page.text(), /no Concordium account address/);

    // What has failed for good is retried, and the page that shows it becomes confirmed.
    const dead = await dev.deadLetter();
    await page.open(`/verifications/${dead}`);
    assert.equal(await page.$eval('#status', (status) => status.textContent), 'pending');
    assert.match(await page.text(), /born before \d+ \w+ \d{4}/);
    assert.match(await page.text(), /An identity proof that is still to be checked/);
    const other = await openPage(opened, dev, withScript);
    await other.signIn(operator.key);
    await other.open('/operations');
    const job = (await dev.api('/v1/jobs?status=dead')).jobs.find((found) => found.verification === dead);
    assert.match(await other.text(), /the test says so/);
    await other.submits(`#job-${job.id} form[action$="/retry"] button`);
    assert.match(await other.text(), /retry the job check_identity/);
    await until(async () => (await dev.api(`/v1/verifications/${dead}`)).status === 'confirmed', 'confirmed');
    if (withScript) {
        await page.evaluate(() => { window.notReloaded = true; });
        await page.waitForFunction(() => document.querySelector('#status').textContent === 'confirmed');
        assert.ok(await page.evaluate(() => window.notReloaded));
    } else {
        await page.reload();
        assert.equal(await page.$eval('#status', (status) => status.textContent), 'confirmed');
    }
    const { events } = await dev.api(`/v1/verifications/${dead}/events`);
    assert.equal((await page.$$('.timeline li')).length, events.length);

    // Before it was handed in there was nothing of it.
    const position = events[0].position - 1;
    await page.open('/past');
    await page.type('#when', String(position));
    await page.submits('.stack button');
    await until(async () => {
        if (await page.$('.tile.pending')) return true;
        await page.open(`/past/${position}`);
        return false;
    }, 'the past');
    assert.match(await page.text(), /The past: as of event/);
    await page.submits('a.tile.confirmed');
    const then = await rows(page);
    assert.ok(then.includes(confirmed) && !then.includes(dead));
    assert.equal((await page.open(`/past/${position}/verifications/${dead}`)).status(), 404);
    await page.open('/leaders?over=hour');
    assert.match(await page.text(), /\/report/);

    await page.open('');
    await page.submits('form[action$="/sign-out"] button');
    assert.equal(new URL(page.url()).pathname, '/dashboard/sign-in');
    assert.deepEqual([...page.wrongs, ...other.wrongs], []);
}

test('a tour, with the script', async () => tour(await openPage(opened, dev), true));

test('the same without it, but for live updates', async () => tour(await openPage(opened, dev, false), false));

test('another tenant sees none of it', async () => {
    const page = await openPage(opened, dev);
    await page.signIn(stranger.key);
    assert.match(await page.$eval('.tile.confirmed', (tile) => tile.innerText), /confirmed\s+0/);
    await page.open('/verifications');
    assert.deepEqual(await rows(page), []);
    for (const path of [`/verifications/${confirmed}`, `/verifications/${confirmed}/live`, '/verifications?tenant=default']) {
        assert.equal((await page.open(path)).status(), 404, path);
    }
    const { position } = (await dev.api(`/v1/verifications/${confirmed}/events`)).events[0];
    assert.equal((await page.open(`/past/${position}/verifications/${confirmed}`)).status(), 404, 'nor of the past');
    for (const path of ['/operations', '/operations/live']) {
        assert.equal((await page.open(path)).status(), 403, path);
    }
    assert.ok(!(await page.text()).includes('Night shift'));
    await page.open('/leaders');
    assert.doesNotMatch(await page.text(), /\/report/);
    assert.deepEqual(page.wrongs, []);
    const own = await openPage(opened, dev);
    await own.signIn(reader.key);
    await own.open('/verifications');
    assert.ok((await rows(own)).includes(confirmed));
});

test('rows come by themselves', async () => {
    const page = await openPage(opened, dev);
    await page.signIn(reader.key);
    await page.open('/verifications');
    const before = (await rows(page)).length;
    await page.evaluate(() => { window.notReloaded = true; });
    await dev.pay('/article');
    await page.waitForFunction((count) => document.querySelectorAll('#live tbody tr').length > count, {}, before);
    assert.ok(await page.evaluate(() => window.notReloaded));
    assert.deepEqual(page.wrongs, []);
});

test('markup in what payers and sellers say is shown, not run', async () => {
    const page = await openPage(opened, dev);
    await page.signIn(operator.key);
    for (const path of [`/verifications/${hostile}`, '/verifications', '/leaders', `/verifications?resource=${encodeURIComponent(HOSTILE)}`]) {
        await page.open(path);
        assert.ok((await page.text()).includes(HOSTILE), path);
        assert.equal(await page.$('main script, main img'), null, path);
    }
    await page.open(`/sign-in?to=${encodeURIComponent(HOSTILE)}`);
    assert.equal(await page.$('main script, main img'), null);
    assert.deepEqual(page.wrongs, []);
    const csv = await (await fetch(`${dev.facilitator}/dashboard/verifications.csv`)).text();
    assert.match(csv, /^id,tenant,status/);
    assert.ok(csv.includes(HOSTILE.replaceAll('"', '""')));
});

test('a session ends at once when its key is taken back', async () => {
    const page = await openPage(opened, dev);
    const short = await dev.key('For an hour', 'read');
    await page.signIn(short.key);
    await page.open('/verifications');
    assert.equal(new URL(page.url()).pathname, '/dashboard/verifications');
    const gone = page.waitForNavigation();
    await fetch(`${dev.facilitator}/v1/keys/${short.id}`, { method: 'DELETE' });
    await dev.pay('/article');
    await gone;
    assert.equal(new URL(page.url()).pathname, '/dashboard/sign-in');
    await page.signIn(short.key);
    assert.match(await page.text(), /This key was taken back/);
});

test('forms from elsewhere, without a token or for another name are refused', async () => {
    const { hostname, port } = new URL(dev.facilitator);
    const own = `http://${hostname}:${port}`;
    const post = (path, headers, body) => fetch(`${own}/dashboard${path}`, {
        method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body,
    });
    assert.equal((await post('/past', { origin: 'https://evil.example.com' }, 'token=x&when=1')).status, 403);
    assert.equal((await post('/past', {}, 'token=x&when=1')).status, 403, 'no browser leaves the origin out');
    assert.equal((await post('/past', { origin: own }, 'token=x&when=1')).status, 403);
    assert.equal((await post('/sign-in', { origin: 'https://evil.example.com' }, `key=${operator.key}`)).status, 403);
    assert.equal((await post('/sign-in', { origin: own }, `key=${'x'.repeat(20_000)}`)).status, 413);
    const signed = await post('/sign-in', { origin: own }, `key=${operator.key}`);
    assert.equal(signed.status, 303);
    assert.match(signed.headers.get('set-cookie'), /HttpOnly; SameSite=Lax/);
    for (let attempt = 0; attempt < 5; attempt += 1) {
        const wrong = await post('/sign-in', { origin: own }, `key=${reader.key.slice(0, -3)}AAA`);
        assert.equal(wrong.status, 401);
    }
    assert.equal((await post('/sign-in', { origin: own }, `key=${reader.key}`)).status, 429, 'attempts are bounded');
    const page = await fetch(`${own}/dashboard`);
    const policy = page.headers.get('content-security-policy');
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) assert.ok(policy.includes(part));
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
});

test('a browser is led to the dashboard, a program is not', async () => {
    const page = await openPage(opened, dev);
    await page.goto(dev.facilitator);
    assert.equal(new URL(page.url()).pathname, '/dashboard');
    const program = await fetch(dev.facilitator);
    assert.equal(program.status, 404);
    assert.match(program.headers.get('content-type'), /problem\+json/);
});

test('no page has a serious violation of accessibility, in light and dark, wide and narrow', async () => {
    const page = await openPage(opened, dev);
    await page.signIn(operator.key);
    const dead = await dev.deadLetter();
    const head = (await dev.api(`/v1/verifications/${dead}/events`)).events.at(-1).position;
    await page.open('/past');
    await page.type('#when', String(head));
    await page.submits('.stack button');
    await until(async () => {
        await page.open(`/past/${head}`);
        return page.$('.tile.pending');
    }, 'the past');
    const paths = {
        overview: '', verifications: '/verifications', verification: `/verifications/${confirmed}`,
        failed: '/verifications?status=failed', leaders: '/leaders', operations: '/operations',
        past: '/past', 'overview-past': `/past/${head}`, nothing: '/verifications/none',
    };
    if (PICTURES) mkdirSync(PICTURES, { recursive: true });
    const look = async (name) => {
        for (const scheme of ['light', 'dark']) {
            for (const width of [1180, 390]) {
                await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
                await page.setViewport({ width, height: 820 });
                await page.addScriptTag({ path: AXE }).catch(() => {});
                const found = await page.evaluate(() => globalThis.axe?.run(document, { resultTypes: ['violations'] }));
                assert.ok(found, 'axe ran');
                const serious = found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
                const words = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' ')}`);
                assert.deepEqual(words, [], `${name}, ${scheme}, ${width}`);
                const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                assert.ok(overflow <= 1, `${name} is ${overflow} pixels too wide at ${width}`);
                if (PICTURES && (width > 400 || name === 'verification')) {
                    const small = width > 400 ? '' : '-phone';
                    await page.screenshot({ path: join(PICTURES, `${name}-${scheme}${small}.webp`), type: 'webp', quality: 60, fullPage: width > 400 });
                }
            }
        }
    };
    await page.setBypassCSP(true);
    for (const [name, path] of Object.entries(paths)) {
        await page.open(path);
        await look(name);
    }
    await page.open('');
    await page.submits('form[action$="/sign-out"] button');
    await look('sign-in');
});

test('all of it can be reached by keyboard', async () => {
    const page = await openPage(opened, dev);
    await page.open('/sign-in');
    await page.focus('#key');
    await page.keyboard.type(operator.key);
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    const reached = new Set();
    for (let step = 0; step < 40; step += 1) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(() => document.activeElement.getAttribute('href') ?? document.activeElement.textContent));
    }
    for (const link of ['/dashboard/verifications', '/dashboard/operations', '/dashboard?over=week', 'Sign out']) {
        assert.ok([...reached].includes(link), `${link}: ${[...reached].join(' ')}`);
    }
});
