"""Sources, single runs and the table of scripts/bench.d/serving.sh."""

import random
import re
import statistics
import sys
from pathlib import Path


def sources(folder: Path) -> None:
    """A feed of about 100 kB when published, and one of about 1 kB; the same in every run."""
    dice = random.Random(1)
    words = ["".join(dice.choices("etaoinshrdlucmfwygpb", k=dice.randint(2, 9))) for _ in range(3_000)]

    def feed(entries: int, length: int) -> str:
        items = (
            f"<item><guid isPermaLink='false'>{entries}-{number}</guid><link>http://example.org/{number}</link>"
            f"<title>{' '.join(dice.choices(words, k=6))}</title><pubDate>Sun, 01 Nov 2026 08:00:00 +0000</pubDate>"
            f"<description>{' '.join(dice.choices(words, k=length))}</description></item>"
            for number in range(entries)
        )
        return (
            "<?xml version='1.0'?><rss version='2.0'><channel><title>Bench</title><link>http://example.org/</link>"
            f"<description/>{''.join(items)}</channel></rss>"
        )

    (folder / "large.xml").write_text(feed(40, 290))
    (folder / "small.xml").write_text(feed(1, 5))


def run(server: str, what: str, connections: str, ticks: str, per_second: str) -> None:
    """wrk's words -> one line: rate, CPU of the server in microseconds a request, p99 in milliseconds, errors."""
    text = sys.stdin.read()
    requests = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    slowest = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    errors = sum(int(count) for count in re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", text))
    cost = int(ticks) / int(per_second) / requests * 1e6
    print(server, what, connections, rate, cost, slowest, errors, sep="\t")


def table(path: str) -> None:
    """Medians of all runs, and feedmill's divided by nginx's."""
    runs: dict = {}
    for line in Path(path).read_text().splitlines():
        server, what, connections, *figures = line.split("\t")
        runs.setdefault((what, connections), {}).setdefault(server, []).append([float(figure) for figure in figures])
    print("| answer | connections | server | requests/s | CPU µs | p99 ms | errors |\n|---|---|---|---|---|---|---|")
    for (what, connections), servers in runs.items():
        medians = {}
        for server, found in servers.items():
            rate, cost, slowest = (statistics.median(one[index] for one in found) for index in range(3))
            medians[server] = (rate, cost, slowest)
            errors = int(sum(one[3] for one in found))
            print(f"| {what} | {connections} | {server} | {rate:,.0f} | {cost:.1f} | {slowest:.2f} | {errors} |")
        ratios = [mine / other for mine, other in zip(medians["feedmill"], medians["nginx"])]
        print(f"| | | **ratio** | **{ratios[0]:.2f}** | **{ratios[1]:.2f}** | **{ratios[2]:.2f}** | |")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    match command:
        case "sources":
            sources(Path(arguments[0]))
        case "run":
            run(*arguments)
        case "table":
            table(*arguments)
