/*
 * loop/sim_fault.c - the rows of what goes wrong
 *
 * A table that is searched from its end, so that the newest row counts. Rows whose time is over
 * stay: they are few.
 */
#include "base/memory.h"
#include "base/wheel.h"
#include "loop/sim.h"

#include <string.h>

static int check(const struct eddy_sim_fault *f)
{
    bool is_known = f->kind >= EDDY_SIM_LATENCY && f->kind <= EDDY_SIM_DUPLICATE;
    bool is_time = f->at_ms >= 0 && f->at_ms < INT64_MAX / 2000000 &&
                   (f->until_ms == 0 || f->until_ms > f->at_ms) &&
                   f->until_ms < INT64_MAX / 2000000;

    bool is_family = f->family == 0 || f->family == AF_INET || f->family == AF_INET6;

    if (!is_known || !is_time || !is_family || f->per_mille > 1000 || f->error > 0)
        return -EINVAL;
    if (f->kind == EDDY_SIM_LATENCY &&
        (f->min_us < 0 || (f->max_us && f->max_us < f->min_us) || f->max_us > INT64_C(1) << 40 ||
         f->min_us > INT64_C(1) << 40))
        return -EINVAL;
    return f->kind == EDDY_SIM_BANDWIDTH && !f->bytes_per_s ? -EINVAL : 0;
}

static int host_of(struct sim *s, const char *name)
{
    return name ? eddy_sim_host_have(s, name) : -1;
}

int eddy_sim_rule_add(struct sim *s, const struct eddy_sim_fault *fault)
{
    struct sim_rule rule = { .fault = *fault };

    int r = check(fault);
    if (r < 0)
        return r;
    rule.from = host_of(s, fault->from);
    rule.to = host_of(s, fault->to);
    if (fault->from && rule.from < 0)
        return rule.from;
    if (fault->to && rule.to < 0)
        return rule.to;
    rule.fault.from = rule.fault.to = NULL; /* the caller's texts */
    if (!rule.fault.max_us)
        rule.fault.max_us = rule.fault.min_us;
    if (!rule.fault.error)
        rule.fault.error = fault->kind == EDDY_SIM_DISK ? -EIO : -EDDY_ERESOLVER;
    rule.at_ns = eddy_deadline_ns(SIM_START_NS, fault->at_ms);
    rule.until_ns = fault->until_ms ? eddy_deadline_ns(SIM_START_NS, fault->until_ms) : INT64_MAX;

    if (s->rule_count == s->rule_cap) {
        size_t cap = s->rule_cap ? s->rule_cap * 2 : 8;
        struct sim_rule *rules = eddy__resize(s->rules, s->rule_cap * sizeof *rules,
                                              cap * sizeof *rules);
        if (!rules)
            return -ENOMEM;
        s->rules = rules;
        s->rule_cap = cap;
    }
    s->rules[s->rule_count++] = rule;
    return 0;
}

static bool is_fit(const struct sim *s, const struct sim_rule *rule, enum eddy_sim_fault_kind kind,
                   int from, int to, uint16_t port)
{
    const struct eddy_sim_fault *f = &rule->fault;

    return f->kind == kind && (rule->from < 0 || rule->from == from) &&
           (rule->to < 0 || rule->to == to) && (f->port == 0 || f->port == port) &&
           (f->family == 0 || f->family == s->family) && rule->at_ns <= s->now_ns &&
           s->now_ns < rule->until_ns;
}

const struct eddy_sim_fault *eddy_sim_rule(struct sim *s, enum eddy_sim_fault_kind kind, int from,
                                           int to, uint16_t port)
{
    for (size_t i = s->rule_count; i-- > 0;) {
        const struct eddy_sim_fault *f = &s->rules[i].fault;
        if (!is_fit(s, &s->rules[i], kind, from, to, port))
            continue;
        return !f->per_mille || eddy_sim_roll(s, 1000) < f->per_mille ? f : NULL;
    }
    return NULL;
}

bool eddy_sim_is_lost(struct sim *s, int from, int to)
{
    if (from != to && eddy_sim_rule(s, EDDY_SIM_PARTITION, from, to, 0))
        return true;
    return eddy_sim_rule(s, EDDY_SIM_LOSS, from, to, 0) != NULL;
}
