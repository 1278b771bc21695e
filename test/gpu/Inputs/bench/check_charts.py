"""check_charts.py <bench/gpu> <folder of charts>: what svg.py draws is well-formed, in its place, small; bad input is refused."""
import os
import sys
import xml.etree.ElementTree

sys.path.insert(0, sys.argv[1])
import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def read_points(chart):
    """[(x, y)] of each line, in pixels."""
    lines = xml.etree.ElementTree.fromstring(chart).iter(NAMESPACE + "polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in lines]


axis = svg.LogAxis(1, 1000, 100, 400)
assert [axis.place(x) for x in (1, 10, 1000)] == [100, 200, 400], "decades are equally wide"
assert svg.LogAxis(3, 60, 0, 1).ticks() == [5, 10, 20, 50], svg.LogAxis(3, 60, 0, 1).ticks()

chart = svg.chart("a < b", "where", "x & y", "us", [("one", [(1, 10), (10, 100), (100, 10)], False), ("absent", [(1, None)], True)])
(points,) = read_points(chart)
assert points[0][1] == points[2][1] > points[1][1], "larger values stand higher"
assert abs(points[1][0] - (points[0][0] + points[2][0]) / 2) < 0.11, points
assert "a &lt; b" in chart and "x &amp; y" in chart and "absent" not in chart
for series in ([], [("none", [(1, None)], False)]):
    try:
        svg.chart("nothing", "", "", "", series)
        sys.exit("an empty chart was drawn")
    except ValueError as error:
        assert "'nothing' has nothing to draw" in str(error)

for name in os.listdir(sys.argv[2]):
    text = open(os.path.join(sys.argv[2], name)).read()
    assert len(text) < 20000, name
    for line in read_points(text):
        assert all(svg.LEFT <= x <= svg.WIDTH - svg.RIGHT and svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM for x, y in line), (name, line)
print(len(os.listdir(sys.argv[2])), "charts are fine")
