"""Line charts with two logarithmic axes, as SVG text."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 52, 44
COLORS = ("#1a5fb4", "#c01c28", "#26a269", "#986a44", "#813d9c")


class LogAxis:
    """Values from `low` to `high`, both positive, onto pixels from `begin` to `end`."""

    def __init__(self, low, high, begin, end):
        self.low, self.high, self.begin, self.end = low, high, begin, end

    def place(self, value):
        span = math.log(self.high / self.low) or 1
        return self.begin + (self.end - self.begin) * math.log(value / self.low) / span

    def ticks(self):
        """1, 2 and 5 times powers of ten."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = (step * 10**power for power in powers for step in (1, 2, 5))
        return [value for value in values if self.low <= value <= self.high]


def text(x, y, words, anchor="middle", size=12, extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{extra}>{escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def draw_axes(x_axis, y_axis, x_values, x_label, y_label):
    grid = 'stroke="#ddd"'
    for value in x_values:
        x = x_axis.place(value)
        yield line(x, TOP, x, HEIGHT - BOTTOM, grid)
        yield text(x, HEIGHT - BOTTOM + 16, f"{value:g}")
    for value in y_axis.ticks():
        y = y_axis.place(value)
        yield line(LEFT, y, WIDTH - RIGHT, y, grid)
        yield text(LEFT - 6, y + 4, f"{value:g}", "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label)
    yield text(14, HEIGHT / 2, y_label, extra=f' transform="rotate(-90 14 {HEIGHT / 2})"')


def draw_series(index, name, points, dashed, x_axis, y_axis):
    color = COLORS[index % len(COLORS)]
    style = f'stroke="{color}" stroke-width="2" fill="none"' + (' stroke-dasharray="5 4"' if dashed else "")
    places = [(x_axis.place(x), y_axis.place(y)) for x, y in points]
    yield f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" {style}/>'
    for (x, y), (tokens, value) in zip(places, points):
        label = f"{escape(name)}, {tokens:g}: {value:.4g}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"><title>{label}</title></circle>'
    y = TOP + 16 + 18 * index
    yield line(LEFT + 12, y - 4, LEFT + 40, y - 4, style)
    yield text(LEFT + 46, y, name, "start")


def chart(title, subtitle, x_label, y_label, series):
    """`series`: (name, [(x, y)], dashed), with positive x and y; a point without y (None) is left out."""
    series = [(name, [(x, y) for x, y in points if y], dashed) for name, points, dashed in series]
    series = [one for one in series if one[1]]
    if not series:
        raise ValueError(f"'{title}' has nothing to draw")
    xs = sorted({x for _, points, _ in series for x, _ in points})
    ys = [y for _, points, _ in series for _, y in points]
    x_axis = LogAxis(xs[0], xs[-1], LEFT + 10, WIDTH - RIGHT - 10)
    y_axis = LogAxis(min(ys) / 1.15, max(ys) * 1.15, HEIGHT - BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#222">',
             '<rect width="100%" height="100%" fill="#fff"/>', text(WIDTH / 2, 20, title, size=15),
             text(WIDTH / 2, 38, subtitle, size=11)]
    parts += draw_axes(x_axis, y_axis, xs, x_label, y_label)
    for index, (name, points, dashed) in enumerate(series):
        parts += draw_series(index, name, points, dashed, x_axis, y_axis)
    return "\n".join(parts + ["</svg>", ""])
