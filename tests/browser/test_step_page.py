"""Step pages in a real Chromium: every step by keyboard, no error, no request. Run by `make test-browser`."""

import time

import numpy as np
import pytest
from chromium import Chromium, executable

import symgrad as sg
import viz
from symgrad import losses, nn


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    assert executable(), "no Chromium here: install it (Debian: apt-get install chromium), then run this again"
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    def go(page, at=""):
        path = page.save(tmp_path / "page.html")
        browser.console.clear()
        browser.requests.clear()
        browser.open(path.as_uri() + at)
        browser.address = path.as_uri()
        return browser

    return go


def neuron(names=("x", "w", "b", "y")):
    x, w, b, y = (sg.tensor(v, name=n, requires_grad=n in names[1:3])
                  for v, n in zip((1.5, -0.8, 0.4, 1.0), names, strict=True))  # fmt: skip
    z = sg.named(w * x + b, "z")
    return sg.named((sg.sigmoid(z) - y) ** 2, "L")


def network(depth=0):
    rng = np.random.default_rng(0)
    layers = [nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    return losses.mse(model(x), sg.tensor(rng.normal(size=(4, 1)), name="y"))


def shown(browser, name):
    """The texts of one role that can be seen, by card."""
    return browser.run(
        f"""Object.fromEntries([...document.querySelectorAll("#picture g.card")].map(g => [g.id,
        [...g.querySelectorAll("text.{name}")].filter(t => getComputedStyle(t).visibility === "visible")
        .map(t => t.textContent).join(" ")]))"""
    )


def clean(browser):
    assert browser.console == []
    assert browser.requests == [browser.address], browser.requests


def test_every_step_by_keyboard(opened):
    page = viz.step_through(neuron())
    browser = opened(page)
    (view,) = page.views
    assert set(shown(browser, "value").values()) == {""}
    values, grads = set(), {}
    left = {}
    for kind, k in view.steps:
        if kind == "b":
            left[view.scene.edges[k].source] = left.get(view.scene.edges[k].source, 0) + 1
    for number, (kind, k) in enumerate(view.steps, 1):
        browser.key("ArrowRight")
        assert browser.run("document.getElementById('count').textContent") == f"{number} / {page.steps}"
        assert browser.run("location.hash") == f"#{number}"
        if kind == "f":
            values.add(f"n{k}")
        elif kind == "s":
            grads[f"n{k}"] = view.numbers[k][1]
        else:
            source = view.scene.edges[k].source
            left[source] -= 1
            grads[f"n{source}"] = view.flows[k]["sum"] + ("" if left[source] == 0 else " …")
        seen = shown(browser, "value")
        assert {name for name, text in seen.items() if text} == values
        assert all(seen[f"n{j}"] == view.numbers[j][0] for j in range(len(view.numbers)) if f"n{j}" in values)
        dashes = {n: "—" for n in values if view.numbers[int(n[1:])][1] == "—"}
        assert {n: t for n, t in shown(browser, "grad").items() if t} == {**dashes, **grads}
        assert browser.run("document.getElementById('what').textContent").startswith(f"{number}. ")
    for _ in range(3):
        browser.key("ArrowLeft")
    assert browser.run("location.hash") == f"#{page.steps - 3}"
    browser.key("Home")
    assert set(shown(browser, "value").values()) == {""}
    browser.key("End")
    assert browser.run("document.getElementById('next').disabled")
    clean(browser)


def test_the_address_opens_a_step(opened):
    browser = opened(viz.step_through(neuron()), "#5")
    assert browser.run("document.getElementById('count').textContent").startswith("5 / ")
    browser.run("location.hash = '#2'")
    time.sleep(0.1)
    assert browser.run("document.getElementById('count').textContent").startswith("2 / ")
    browser.open(browser.address + "?x#nonsense/17/%E0%A4%A")
    assert browser.console == []


def test_modules_open_in_place_and_close(opened):
    page = viz.step_through(network())
    assert len(page.html.encode()) < 150_000
    browser = opened(page)
    assert [view.title for view in page.views] == [(), ("Linear0",), ("BatchNorm1d1",), ("Linear3",)]
    assert browser.run("document.querySelectorAll('#picture [role=button]').length") == 3
    browser.run("document.querySelector('#picture g.card[role=button]:nth-of-type(n)').focus()")
    for view in page.views[1:]:
        card = next(k for k, v in page.views[0].children.items() if page.views[v] is view)
        browser.run(f"document.querySelector('#picture #n{card}').focus()")
        browser.key("Enter")
        assert browser.run("location.hash") == f"#{view.title[0]}/0"
        for number in range(1, len(view.steps) + 1):
            browser.key("ArrowRight")
            assert browser.run("location.hash") == f"#{view.title[0]}/{number}"
        assert all(shown(browser, "value").values())
        browser.key("Escape")
        assert browser.run("location.hash") == "#0"
        assert browser.run("document.activeElement.id") == f"n{card}"
    clean(browser)


def test_a_repeat_opens_and_its_derivation_is_a_link_away(opened):
    class Block(nn.Module):
        def __init__(self):
            self.fc, self.norm = nn.Linear(3, 3), nn.LayerNorm(3)

        def forward(self, x):
            return x + sg.tanh(self.norm(self.fc(x)))

    x = sg.tensor(np.random.default_rng(0).normal(size=(4, 3)), name="x")
    page = viz.step_through((nn.Sequential(*[Block() for _ in range(6)], nn.Linear(3, 1))(x) ** 2).mean(),
                            fold=(1, "repeats"))  # fmt: skip
    browser = opened(page)
    (card,) = [k for k, v in page.views[0].children.items() if page.views[v].note]
    browser.run(f"document.querySelector('#picture #n{card}').focus()")
    browser.key("Enter")
    assert "The first of 6 equal parts" in browser.run("document.getElementById('where').textContent")
    norm = next(k for k, v in page.views[1].children.items() if page.views[v].title[-1] == "norm")
    browser.run(f"document.querySelector('#picture #n{norm}').focus()")
    browser.run("document.querySelector('#detail a').click()")
    assert browser.run("document.activeElement.closest('details').open")
    assert "PROVED" in browser.run("document.activeElement.closest('details').textContent")
    assert browser.run("document.activeElement.closest('details').querySelectorAll('math').length") >= 5
    clean(browser)


def test_focus_tells_shape_value_gradient_and_jacobian(opened):
    page = viz.step_through(network())
    browser = opened(page, "#" + str(page.steps))
    order = browser.run("[...document.querySelectorAll('#picture [tabindex]')].map(g => g.id)")
    cards, edges = len(page.views[0].scene.cards), sum(f is not None for f in page.views[0].flows)
    assert len(order) >= cards + edges
    texts = []
    for name in order:
        browser.run(f"document.querySelector('#picture #{name}').focus()")
        texts.append(browser.run("document.getElementById('detail').textContent"))
        assert browser.run(f"document.querySelector('#picture #{name}').getAttribute('aria-label').length > 3")
    assert sum("shape" in t for t in texts) == len(order)
    assert any("Local Jacobian" in t for t in texts)
    last = max(j for j, f in enumerate(page.views[0].flows) if f and f.get("heat"))
    browser.run(f"document.querySelector('#picture #e{last}').focus()")
    heat = page.views[0].flows[last]["heat"]
    assert browser.run("document.querySelectorAll('#detail .heat rect').length") == len(heat) * len(heat[0])
    browser.run("document.querySelector('#detail a').click()")
    assert browser.run("document.activeElement.closest('details').open")
    clean(browser)


def test_print_shows_every_step(opened):
    page = viz.step_through(neuron())
    browser = opened(page, "#3")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('#frames figure').length") == page.steps
    assert browser.run("location.hash") == "#3"
    assert len(browser.call("Page.printToPDF")["data"]) > 10_000
    browser.run("dispatchEvent(new Event('afterprint'))")
    clean(browser)


def test_reduced_motion_and_live_region(opened):
    browser = opened(viz.step_through(neuron()))
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.call("Emulation.setEmulatedMedia", features=features)
    assert browser.run("getComputedStyle(document.querySelector('#picture g.card')).transitionDuration") in ("0s", "")
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert browser.run("document.getElementById('now').getAttribute('aria-live')") == "polite"
    clean(browser)


HOSTILE = ["</script><script>document.title='EVIL'</script>", "<img src=x onerror=\"document.title='EVIL'\">",
           "javascript:alert(1)", "\u202eevil", "nul\x00l", "@@data@@", "'\"`${1}"]  # fmt: skip


def test_hostile_names(opened):
    total = sg.tensor(0.5, name="safe", requires_grad=True)
    for name in HOSTILE:
        total = sg.named(total * sg.tensor(1.5, name=name, requires_grad=True), name, latex=name)
    page = viz.step_through(total)
    browser = opened(page)
    for _ in range(page.steps):
        browser.key("ArrowRight")
    for j in range(len(page.views[0].scene.cards)):
        browser.run(f"document.querySelector('#picture #n{j}').focus()")
    assert browser.run("document.title") == page.title or "EVIL" not in browser.run("document.title")
    assert browser.run("document.querySelectorAll('img, iframe, object, embed, base, form').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 2
    clean(browser)


def test_the_policy_lets_nothing_else_run(opened):
    browser = opened(viz.step_through(neuron()))
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s)"
    )
    assert browser.run("window.broken") is None
    browser.run("fetch('https://example.org/').catch(() => window.refused = 1)")
    time.sleep(0.2)
    assert browser.run("window.refused") == 1


def big_network(stages=8, blocks=40):
    rng = np.random.default_rng(0)

    class Block(nn.Module):
        def __init__(self):
            self.fc, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)

        def forward(self, x):
            return x + sg.tanh(self.norm(self.fc(x)))

    class Stage(nn.Module):
        def __init__(self):
            self.blocks = [Block() for _ in range(blocks)]

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    class Net(nn.Module):
        def __init__(self):
            self.stages = [Stage() for _ in range(stages)]

        def forward(self, x):
            for stage in self.stages:
                x = stage(x)
            return x

    x = sg.tensor(rng.normal(size=(8, 4)), name="x")
    return sg.named(sg.mean(Net()(x) ** 2), "L")


def test_ten_thousand_nodes(opened):
    from symgrad.tensor import reachable
    from viz.subject import subject

    loss = big_network(stages=10, blocks=54)
    assert len(reachable(subject(loss).roots)) >= 10_000
    page = viz.step_through(loss)
    assert len(page.html.encode()) < 500_000
    browser = opened(page)
    worst = 0.0
    for view in page.views[1:40:3] + page.views[-5:]:
        address = "#" + "/".join([*view.title, "0"])
        opening = f"""(() => {{ let best = 1e9; for (let k = 0; k < 3; k++) {{
            history.replaceState(null, "", "#0"); dispatchEvent(new HashChangeEvent("hashchange"));
            const start = performance.now(); history.replaceState(null, "", {address!r});
            dispatchEvent(new HashChangeEvent("hashchange")); document.body.getBoundingClientRect();
            best = Math.min(best, performance.now() - start); }} return best; }})()"""
        worst = max(worst, browser.run(opening))
        assert browser.run("location.hash") == address
        assert browser.run("document.querySelectorAll('#picture g.card').length") == len(view.scene.cards)
    print(f"{len(page.html.encode()):,} bytes, {len(page.views):,} pictures, slowest to open: {worst:.0f} ms")
    clean(browser)
