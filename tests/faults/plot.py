"""The samples of soak.py as a picture: three curves over one time."""

import html

WIDTH, HEIGHT, LEFT, TOP, GAP = 776, 130, 64, 46, 46  # pixels; HEIGHT and GAP of each panel
PANELS = (
    ("resident memory, MB", (("mb", "#1b6ca8", "resident"),)),
    ("descriptors and threads", (("fds", "#1b6ca8", "descriptors"), ("threads", "#c0392b", "threads"))),
    ("an owner's login, ms", (("p50_ms", "#1b6ca8", "median"), ("p99_ms", "#c0392b", "99 of 100 within"))),
)


def _round_up(value):
    """The next 1, 2 or 5 times a power of ten."""
    unit = 1e-3
    while True:
        for factor in (1, 2, 5):
            if factor * unit >= value:
                return factor * unit
        unit *= 10


def _panel(top, title, curves, samples, warm, end):
    highest = max(sample[key] for key, _, _ in curves for sample in samples)
    step = _round_up(highest * 1.05 / 4)
    scale = step * 4
    width = WIDTH - LEFT - 32

    def x(seconds):
        return LEFT + width * seconds / end

    def y(value):
        return top + HEIGHT - HEIGHT * value / scale
    out = [f'<text x="{LEFT}" y="{top - 8}" class="t">{html.escape(title)}</text>',
           f'<rect x="{LEFT}" y="{top}" width="{x(warm) - LEFT:.1f}" height="{HEIGHT}" class="w"/>']
    for n in range(5):
        out.append(f'<line x1="{LEFT}" x2="{LEFT + width}" y1="{y(n * step):.1f}" '
                   f'y2="{y(n * step):.1f}" class="g"/><text x="{LEFT - 6}" '
                   f'y="{y(n * step) + 4:.1f}" class="n">{n * step:g}</text>')
    for number, (key, colour, name) in enumerate(curves):
        points = " ".join(f"{x(s['s']):.1f},{y(s[key]):.1f}" for s in samples)
        out.append(f'<polyline points="{points}" stroke="{colour}" class="c"/>'
                   f'<text x="{LEFT + width - 150 * number}" y="{top - 8}" class="n" '
                   f'fill="{colour}">{name}</text>')
    return out, x


def draw(samples, result):
    """An SVG, or one that says that there is nothing."""
    bottom = TOP + len(PANELS) * (HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 8}" '
           f'width="{WIDTH}" height="{bottom + 8}" font-family="sans-serif" font-size="11">',
           "<style>.t{font-weight:bold}.n{text-anchor:end}.m{text-anchor:middle}.w{fill:#eee}"
           ".g{stroke:#ddd}.c{fill:none;stroke-width:1.2}</style>",
           f'<rect width="{WIDTH}" height="{bottom + 8}" fill="#fff"/>']
    if not samples:
        return "\n".join([*out, '<text x="20" y="20">no samples</text></svg>\n'])
    warm, end = result["warm_up_minutes"] * 60, samples[-1]["s"]
    out.append(f'<text x="{LEFT}" y="18">{result["minutes"]:g} minutes of mixed load, '
               f'{result["attempts"]} attempts; grey: warm-up</text>')
    for number, (title, curves) in enumerate(PANELS):
        panel, x = _panel(TOP + number * (HEIGHT + GAP), title, curves, samples, warm, end)
        out += panel
    minutes = max(1, round(end / 60 / 6))
    for mark in range(0, int(end / 60) + 1, minutes):
        out.append(f'<text x="{x(mark * 60):.1f}" y="{bottom - GAP + 16}" class="m">{mark} min</text>')
    return "\n".join([*out, "</svg>\n"])
