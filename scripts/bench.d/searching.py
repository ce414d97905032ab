"""Sources, searches and the table of scripts/bench.d/searching.sh."""

import http.client
import random
import statistics
import sys
import threading
import time
from pathlib import Path

FILES = 40
SEARCHES_A_SECOND = 50


def words() -> list[str]:
    dice = random.Random(7)
    return ["".join(dice.choices("etaoinshrdlucmfwygpb", k=dice.randint(3, 10))) for _ in range(30_000)]


def sources(folder: Path, entries: int) -> None:
    """Files of entries whose words are as unequal as those of a language (Zipf), and a small one that is asked for."""
    dice, known = random.Random(1), words()
    weights = [1 / rank for rank in range(1, len(known) + 1)]

    def feed(name: str, count: int, length: int) -> str:
        texts = (dice.choices(known, weights, k=length + 6) for _ in range(count))
        items = (
            f"<item><guid isPermaLink='false'>{name}-{number}</guid><link>http://example.org/{name}/{number}</link>"
            f"<title>{' '.join(text[:6])}</title><pubDate>Sun, 01 Nov 2026 08:00:00 +0000</pubDate>"
            f"<description>{' '.join(text[6:])}</description></item>"
            for number, text in enumerate(texts)
        )
        return (
            "<?xml version='1.0'?><rss version='2.0'><channel><title>Bench</title><link>http://example.org/</link>"
            f"<description/>{''.join(items)}</channel></rss>"
        )

    config = ['[server]\nlisten = "127.0.0.1:8483"\nthreads = 1\n[sources.small]\nurl = "file:small.xml"\ntopics = ["small"]\n']
    (folder / "small.xml").write_text(feed("small", 1, 5))
    for number in range(FILES):
        (folder / f"{number}.xml").write_text(feed(str(number), entries // FILES, 120))
        config.append(f'[sources.bench-{number}]\nurl = "file:{number}.xml"\n')
    (folder / "feeds.toml").write_text("".join(config))


def get(address: str, path: str) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    body = connection.getresponse().read()
    connection.close()
    return body


def wait(address: str, entries: int) -> None:
    """Until all entries are stored and searches find the newest of them."""
    wanted = entries // FILES * FILES + 1
    for _ in range(600):
        time.sleep(0.5)
        try:
            lines = get(address, "/metrics").decode().splitlines()
        except OSError:
            continue
        plain = (line.split() for line in lines if line.startswith("feedmill_") and "{" not in line)
        figures = {name: float(value) for name, value in plain}
        is_stored = figures.get("feedmill_entries", 0) >= wanted
        if is_stored and figures.get("feedmill_search_ready") == 1 and figures.get("feedmill_search_commits_behind") == 0:
            return
    sys.exit("bench searching: the entries were not stored in five minutes")


def search(address: str, run: str, seconds: str) -> None:
    """Asks at a steady pace, whatever the answers take, and prints what each took in milliseconds."""
    dice, known = random.Random(int(run)), words()
    took: list[float] = []

    def ask() -> None:
        first, second = dice.choices(known[:2_000], k=2)
        begun = time.perf_counter()
        get(address, f"/search.atom?q={first}+{second}&limit=20")
        took.append((time.perf_counter() - begun) * 1000)

    threads = []
    begun = time.perf_counter()
    for number in range(int(float(seconds) * SEARCHES_A_SECOND)):
        time.sleep(max(0.0, begun + number / SEARCHES_A_SECOND - time.perf_counter()))
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print("\n".join(f"{one:.2f}" for one in took))


def table(runs: str, searches: str) -> None:
    """Medians of all runs, with searches divided by without."""
    found: dict[str, list[list[float]]] = {}
    for line in Path(runs).read_text().splitlines():
        name, _, _, *figures = line.split("\t")
        found.setdefault(name, []).append([float(figure) for figure in figures])
    print("| a small feed, 64 connections | requests/s | CPU µs | p99 ms | errors |\n|---|---|---|---|---|")
    medians = {}
    for name, figures in found.items():
        medians[name] = [statistics.median(one[index] for one in figures) for index in range(3)]
        rate, cost, slowest = medians[name]
        print(f"| {name} | {rate:,.0f} | {cost:.1f} | {slowest:.2f} | {int(sum(one[3] for one in figures))} |")
    ratios = [searched / alone for searched, alone in zip(medians["searched"], medians["alone"])]
    print(f"| **ratio** | **{ratios[0]:.2f}** | **{ratios[1]:.2f}** | **{ratios[2]:.2f}** | |")
    took = sorted(float(line) for line in Path(searches).read_text().split())
    print(f"\n{len(took)} searches: median {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    match command:
        case "sources":
            sources(Path(arguments[0]), int(arguments[1]))
        case "wait":
            wait(arguments[0], int(arguments[1]))
        case "search":
            search(*arguments)
        case "table":
            table(*arguments)
