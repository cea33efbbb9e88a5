"""Draws the presenter view, ``?present=true``: a page's figures alone, as large as the window allows, for a lecture.

It shows the same figures as an embedded page (`stitchlab.ui.embedding`). Each becomes a slide, which is enlarged as a
whole, so that letters, marks and cells grow together and stay sharp. A script in the browser does this, since only the
browser knows the size of its window.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import streamlit as st

KEY = "present"  # query parameter
_SLIDES = "_slides"  # key in the session's state: the number of slides on the page so far

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

# Plotly takes transforms of its container into account when it looks for the point under the pointer. But Streamlit
# sets a chart's width to its width on the screen: so a slide first gets its width, the charts adapt to it, and then the
# slide is enlarged.
_SCRIPT = """
const RUNNING = Symbol.for('stitchlab.presenting');
const MAX_SCALE = 3, MIN_SCALE = 1, SCALE_STEP = 0.05, MARGIN = 32, FIRST_WIDTH = 240, MAX_FRAMES = 40;
const slides = () => [...document.querySelectorAll('[class*=st-key-slide-]')];
const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
const misfits = slide => [...slide.querySelectorAll('.js-plotly-plot')].map(
    plot => Math.round((plot.querySelector('.main-svg')?.width.baseVal.value ?? 0) - plot.offsetWidth));
const sizes = slide => [innerWidth, innerHeight, slide.offsetWidth, slide.offsetHeight, ...misfits(slide)].join();

function fits(slide, scale) {
    slide.style.width = `${(innerWidth - 2 * MARGIN) / scale}px`;
    if (slide.offsetHeight * scale > innerHeight - 2 * MARGIN) return false;
    return ![...slide.querySelectorAll('[data-testid=stLayoutWrapper], [data-testid=stVerticalBlock], .stGrid')]
        .some(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0);
}

async function enlarge(slide) {
    slide.style.opacity = 0;
    slide.style.transform = 'none';
    slide.style.width = `${FIRST_WIDTH}px`;  // so that every chart adapts its width again
    await frame();
    let scale = MAX_SCALE;  // what is too tall even unscaled scrolls: smaller letters could not be read
    while (scale > MIN_SCALE && !fits(slide, scale)) scale = Math.max(MIN_SCALE, scale - SCALE_STEP);
    fits(slide, scale);  // sets the width for the scale that was found
    for (let k = 0; k < MAX_FRAMES && (k < 2 || misfits(slide).some(by => Math.abs(by) > 1)); k++) await frame();
    slide.style.transform = `scale(${scale.toFixed(2)})`;
    const height = Math.ceil(slide.offsetHeight * scale);
    const tall = height > innerHeight - 2 * MARGIN;  // then it begins below the button Back
    slide.parentElement.style.minHeight = tall ? `${height + 3 * MARGIN}px` : '100vh';
    slide.dataset.fitted = sizes(slide);
    slide.style.opacity = 1;
}

export default function () {
    window[RUNNING]?.();  // at most one, however often the component is mounted
    let waiting = 0, busy = false;
    const soon = () => { waiting ||= setTimeout(fit, 80); };
    async function fit() {
        waiting = 0;
        if (busy) return soon();
        busy = true;
        for (const slide of slides()) {
            if (!known.has(slide)) resizes.observe(slide);  // nodes in a shadow root are not observed below
            known.add(slide);
            if (slide.dataset.fitted !== sizes(slide)) await enlarge(slide);
        }
        busy = false;
    }
    const known = new WeakSet(), resizes = new ResizeObserver(soon), changes = new MutationObserver(soon);
    changes.observe(document.querySelector('[data-testid=stMain]') ?? document.body, {childList: true, subtree: true});
    addEventListener('resize', soon);
    soon();
    const end = window[RUNNING] = () => {
        changes.disconnect();
        resizes.disconnect();
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
    """Draw the additions of the presenter view to a page: the button Back, and the script that enlarges slides."""
    st.session_state[_SLIDES] = 0
    st.button("Back", icon=":material/close:", key="leave", type="tertiary", shortcut="Escape", on_click=_leave)
    _fit(key="presenting")


@contextlib.contextmanager
def slide() -> Iterator[None]:
    """Let everything drawn within fill the window together in the presenter view; elsewhere change nothing."""
    if not on():
        yield
        return
    st.session_state[_SLIDES] += 1
    with st.container(key=f"slide-{st.session_state[_SLIDES]}"):
        yield


def _leave() -> None:
    st.query_params.pop(KEY, None)
