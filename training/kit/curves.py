"""log.csv as a picture."""
import csv


def draw(log, path):
    try:
        import matplotlib
    except ImportError:
        return  # the table says the same
    matplotlib.use("Agg")
    from matplotlib import pyplot
    with open(log) as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    steps = [int(row["step"]) for row in rows]
    for axis, names, title in ((left, ("loss", "scores", "overlap", "distances", "teacher"), "loss"), (right, list(rows[0])[7:], "AP50, held out")):
        for name in names:
            points = [(s, float(row[name])) for s, row in zip(steps, rows) if row.get(name) not in ("", "nan", None)]
            if points:
                axis.plot(*zip(*points), label=name, linewidth=2 if name in ("loss", "ap50") else 1)
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
