// bench/peers/tasks_boost.cpp - boost.context: what a fiber costs; no scheduler, so no queue is in the figures
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "resident.h"

namespace ctx = boost::context;

static double now_ns()
{
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double switches()
{
    const int times = 2000000;
    ctx::fiber f([](ctx::fiber &&back) {
        for (;;)
            back = std::move(back).resume();
        return std::move(back);
    });
    double start = now_ns();
    for (int i = 0; i < times; i++)
        f = std::move(f).resume();
    return (now_ns() - start) / times;
}

static double lives(ctx::pooled_fixedsize_stack &stacks)
{
    const int batches = 500, batch = 1000;
    double start = now_ns();
    for (int b = 0; b < batches; b++) {
        std::vector<ctx::fiber> all;
        all.reserve(batch);
        for (int i = 0; i < batch; i++)
            all.emplace_back(std::allocator_arg, stacks, [](ctx::fiber &&back) { return std::move(back); });
        for (auto &f : all)
            f = std::move(f).resume();
    }
    return (now_ns() - start) / (batches * batch);
}

int main()
{
    const int rounds = 5, count = 20000;
    std::vector<double> s, l;
    ctx::pooled_fixedsize_stack stacks(64 * 1024);

    lives(stacks);
    for (int i = 0; i < rounds; i++) {
        s.push_back(switches());
        l.push_back(lives(stacks));
    }
    long before = resident_kib();
    std::vector<ctx::fiber> all;
    for (int i = 0; i < count; i++) {
        ctx::fiber f([](ctx::fiber &&back) { return std::move(back).resume(); });
        all.push_back(std::move(f).resume());
    }
    double kib = double(resident_kib() - before) / count;
    std::sort(s.begin(), s.end());
    std::sort(l.begin(), l.end());
    std::printf("boost.context %.1f %.1f %.1f %.1f %.1f %.1f %.2f\n", s[2], s[0], s[4], l[2], l[0], l[4], kib);
    std::fflush(stdout);
    std::_Exit(0); // unwinding them all is not what is measured
}
