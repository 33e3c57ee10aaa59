# bench/peers/tasks_asyncio.py - Python's asyncio: what a task costs
import asyncio
import time


def resident():
    with open("/proc/self/status") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("VmRSS:", "VmPTE:")))


async def yielder(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def switches():
    times = 100000
    start = time.perf_counter_ns()
    await asyncio.gather(yielder(times), yielder(times))
    return (time.perf_counter_ns() - start) / times


async def empty():
    pass


async def lives():
    batches, batch = 20, 1000
    start = time.perf_counter_ns()
    for _ in range(batches):
        await asyncio.gather(*[asyncio.create_task(empty()) for _ in range(batch)])
    return (time.perf_counter_ns() - start) / (batches * batch)


async def channel():
    times = 100000
    queue = asyncio.Queue(1)

    async def put():
        for i in range(times):
            await queue.put(i)

    task = asyncio.create_task(put())
    start = time.perf_counter_ns()
    for _ in range(times):
        await queue.get()
    await task
    return (time.perf_counter_ns() - start) / times


async def main():
    figures = [[], [], []]
    for _ in range(5):
        for i, measure in enumerate((switches, lives, channel)):
            figures[i].append(await measure())
    count = 50000
    before = resident()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
    await asyncio.sleep(0.5)
    kib = (resident() - before) / count
    for task in tasks:
        task.cancel()

    def say(v):
        v.sort()
        return f"{v[2]:.1f} {v[0]:.1f} {v[4]:.1f}"

    print("asyncio", say(figures[0]), say(figures[1]), f"{kib:.2f}", say(figures[2]))


asyncio.run(main())
