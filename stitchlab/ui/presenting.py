"""Draws the presenter view, ``?present=true``: a page's figures alone, as large as the window allows, for a lecture.

What is a figure and what is not, `stitchlab.ui.embedding` knows: both views show the same. Here each becomes a slide of
its own, which the browser enlarges as a whole, so that letters, marks and cells grow together and stay sharp. Only the
browser knows how large its window is, so it is done there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import streamlit as st

KEY = "present"  # in the address
_SLIDES = "_slides"  # how many there are on the page so far, in the session's state

_CSS = """
[data-testid=stHeader] { display: none; }
[data-testid=stMain] { scroll-snap-type: y proximity; }
[data-testid=stMainBlockContainer] { padding: 0; max-width: none; }
[data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock] { gap: 0; }
[data-testid=stVerticalBlock]:has(> * > [class*=st-key-slide-]) { gap: 0; }
:has(> [class*=st-key-slide-]) { display: flex; align-items: center; justify-content: center; min-height: 100vh;
  overflow: hidden; scroll-snap-align: start; }
[class*=st-key-slide-] { flex: none; max-width: none; }
.st-key-leave { position: fixed; top: .25rem; right: .75rem; z-index: 100; width: auto; }
"""

# Plotly knows of transforms of what it stands in, so that it still finds what is under the pointer. But Streamlit tells
# it the width that a chart has on the screen: so a slide gets its width first, and is enlarged when charts have theirs.
_SCRIPT = """
const RUNNING = Symbol.for('stitchlab.presenting');
const MOST = 3, LEAST = 1, STEP = 0.05, EDGE = 32, NARROW = 240, PATIENCE = 40;
const slides = () => [...document.querySelectorAll('[class*=st-key-slide-]')];
const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
const off = slide => [...slide.querySelectorAll('.js-plotly-plot')].map(
    plot => Math.round((plot.querySelector('.main-svg')?.width.baseVal.value ?? 0) - plot.offsetWidth));
const looks = slide => [innerWidth, innerHeight, slide.offsetWidth, slide.offsetHeight, ...off(slide)].join();

function fits(slide, scale) {
    slide.style.width = `${(innerWidth - 2 * EDGE) / scale}px`;
    if (slide.offsetHeight * scale > innerHeight - 2 * EDGE) return false;
    return ![...slide.querySelectorAll('[data-testid=stLayoutWrapper], [data-testid=stVerticalBlock], .stGrid')]
        .some(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0);
}

async function enlarge(slide) {
    slide.style.opacity = 0;
    slide.style.transform = 'none';
    slide.style.width = `${NARROW}px`;  // so that every chart is measured anew
    await frame();
    let scale = MOST;  // what is too tall even at its own size is scrolled: smaller letters are no use to a class
    while (scale > LEAST && !fits(slide, scale)) scale = Math.max(LEAST, scale - STEP);
    fits(slide, scale);  // its width, where the least one was tried last
    for (let k = 0; k < PATIENCE && (k < 2 || off(slide).some(by => Math.abs(by) > 1)); k++) await frame();
    slide.style.transform = `scale(${scale.toFixed(2)})`;
    const height = Math.ceil(slide.offsetHeight * scale);
    const tall = height > innerHeight - 2 * EDGE;  // then it begins below the way back
    slide.parentElement.style.minHeight = tall ? `${height + 3 * EDGE}px` : '100vh';
    slide.dataset.fitted = looks(slide);
    slide.style.opacity = 1;
}

export default function () {
    window[RUNNING]?.();  // one at a time, however often it is mounted
    let waiting = 0, busy = false;
    const soon = () => { waiting ||= setTimeout(fit, 80); };
    async function fit() {
        waiting = 0;
        if (busy) return soon();
        busy = true;
        for (const slide of slides()) {
            if (!known.has(slide)) grown.observe(slide);  // what is drawn in a shadow root changes no node here
            known.add(slide);
            if (slide.dataset.fitted !== looks(slide)) await enlarge(slide);
        }
        busy = false;
    }
    const known = new WeakSet(), grown = new ResizeObserver(soon), seen = new MutationObserver(soon);
    seen.observe(document.querySelector('[data-testid=stMain]') ?? document.body, {childList: true, subtree: true});
    addEventListener('resize', soon);
    soon();
    const end = window[RUNNING] = () => {
        seen.disconnect();
        grown.disconnect();
        clearTimeout(waiting);
        removeEventListener('resize', soon);
    };
    return end;
}
"""

_fit = st.components.v2.component("stitchlab_presenting", css=_CSS, js=_SCRIPT, isolate_styles=False)


def on() -> bool:
    """Tell whether this page is shown in the presenter view."""
    return st.query_params.get(KEY) == "true"


def offer() -> None:
    """Draw the button that leads to the presenter view."""
    st.button(
        "Present",
        icon=":material/slideshow:",
        key="to_presenter",
        type="tertiary",
        shortcut="p",
        on_click=lambda: st.query_params.update({KEY: "true"}),
        help="The figures of this page alone and large, for a lecture. Escape leads back.",
    )


def begin() -> None:
    """Draw what the presenter view adds to a page: the way back, and what enlarges the slides."""
    st.session_state[_SLIDES] = 0
    st.button("Back", icon=":material/close:", key="leave", type="tertiary", shortcut="Escape", on_click=_leave)
    _fit(key="presenting")


@contextlib.contextmanager
def slide() -> Iterator[None]:
    """Let all that is drawn within fill the window together in the presenter view; elsewhere change nothing."""
    if not on():
        yield
        return
    st.session_state[_SLIDES] += 1
    with st.container(key=f"slide-{st.session_state[_SLIDES]}"):
        yield


def _leave() -> None:
    st.query_params.pop(KEY, None)
