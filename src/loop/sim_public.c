/*
 * loop/sim_public.c - eddy/sim.h: what a program may ask of the simulation it runs in
 */
#include "loop/loop.h"
#include "loop/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the opaque part holds. */
struct inside {
    struct eddy_loop *loop; /* NULL: it never began, or is over */
};

static_assert(sizeof(struct inside) <= sizeof((struct eddy_sim *)0)->opaque, "it has room");

static struct sim *sim_in(const struct eddy_sim *sim)
{
    struct inside in;

    memcpy(&in, sim->opaque, sizeof in);
    return in.loop ? eddy_sim_of(in.loop->driver) : NULL;
}

static int why_not(const struct eddy_sim *sim)
{
    return sim->status < 0 ? sim->status : -EDDY_EBROKEN;
}

/* --- start and end ----------------------------------------------------------------------------- */

static int add_faults(struct sim *s, const struct eddy_sim_options *o)
{
    const char *row = (const char *)o->faults;
    int r = 0;

    for (size_t i = 0; i < o->fault_count && r == 0; i++, row += o->fault_size) {
        struct eddy_sim_fault fault = { 0 };
        memcpy(&fault, row, o->fault_size < sizeof fault ? o->fault_size : sizeof fault);
        r = eddy_sim_rule_add(s, &fault);
    }
    return r;
}

struct eddy_sim eddy_sim_start(const struct eddy_sim_options *options)
{
    struct eddy_sim sim = { .size = sizeof sim };
    struct eddy_sim_options o = { 0 };
    struct inside in = { NULL };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    sim.status = eddy_loop_new(EDDY_OPT(loop, .backend = "sim", .seed = o.seed), &in.loop);
    if (sim.status < 0)
        return sim;
    struct sim *s = eddy_sim_of(in.loop->driver);
    sim.seed = s->seed;
    if (o.disk_bytes)
        s->disk_bytes = o.disk_bytes;
    sim.status = add_faults(s, &o);
    if (sim.status < 0)
        eddy_loop_free(in.loop);
    else
        memcpy(sim.opaque, &in, sizeof in);
    return sim;
}

void eddy_sim_done(struct eddy_sim *sim)
{
    struct inside in;

    memcpy(&in, sim->opaque, sizeof in);
    if (!in.loop)
        return;
    sim->hash = eddy_sim_hash(sim);
    /* Somebody may have ended the loop himself. */
    if (in.loop == eddy__loop())
        eddy_loop_free(in.loop);
    memset(sim->opaque, 0, sizeof sim->opaque);
}

int64_t eddy_sim_clock_ms(const struct eddy_sim *sim)
{
    const struct sim *s = sim_in(sim);

    return s ? (s->now_ns - SIM_START_NS) / 1000000 : why_not(sim);
}

uint64_t eddy_sim_hash(const struct eddy_sim *sim)
{
    const struct sim *s = sim_in(sim);

    return s ? s->hash : sim->hash;
}

uint64_t eddy_sim_seed(const struct eddy_sim *sim)
{
    return sim->seed;
}

const char *eddy_sim_replay(const struct eddy_sim *sim, char *buf, size_t cap)
{
    char words[2048];
    size_t len = 0;
    int n = snprintf(buf, cap, "EDDY_BACKEND=sim EDDY_SEED=%" PRIu64, sim->seed);

    FILE *args = fopen("/proc/self/cmdline", "re");
    if (args) {
        len = fread(words, 1, sizeof words - 1, args);
        (void)fclose(args);
    }
    words[len] = '\0';
    for (size_t at = 0; at < len && n > 0 && (size_t)n < cap; at += strlen(words + at) + 1) {
        bool is_plain = words[at] && !strpbrk(words + at, " '\"$*?;&|<>()");
        n += snprintf(buf + n, cap - (size_t)n, is_plain ? " %s" : " '%s'", words + at);
    }
    return buf;
}

/* --- hosts ----------------------------------------------------------------------------------- */

int eddy_sim_host(struct eddy_sim *sim, const char *name)
{
    struct sim *s = sim_in(sim);
    int r = s ? eddy_sim_host_have(s, name) : why_not(sim);

    return r < 0 ? r : 0;
}

int eddy_sim_as(struct eddy_sim *sim, const char *name)
{
    struct sim *s = sim_in(sim);
    int r = s ? eddy_sim_host_have(s, name) : why_not(sim);

    if (r < 0)
        return r;
    *eddy_loop_host(s->driver.loop) = (uint16_t)r;
    return 0;
}

int eddy_sim_crash(struct eddy_sim *sim, const char *name)
{
    struct sim *s = sim_in(sim);
    int host = s ? eddy_sim_host_find(s, name) : why_not(sim);

    if (host < 0)
        return host;
    if (s->hosts[host]->down)
        return -EALREADY;
    s->hosts[host]->down = true;
    eddy_sim_log(s, SIM_CRASH, (uint32_t)host, 0);
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i]->type != SIM_FREE && s->slots[i]->host == host)
            eddy_sim_kill(s, s->slots[i]);
    eddy_sim_disk_crash(s, s->hosts[host]);
    return 0;
}

int eddy_sim_restart(struct eddy_sim *sim, const char *name)
{
    struct sim *s = sim_in(sim);
    int host = s ? eddy_sim_host_find(s, name) : why_not(sim);

    if (host < 0)
        return host;
    if (!s->hosts[host]->down)
        return -EALREADY;
    s->hosts[host]->down = false;
    eddy_sim_log(s, SIM_CRASH, (uint32_t)host, 1);
    return 0;
}

/* --- faults ---------------------------------------------------------------------------------- */

static int64_t now_ms(const struct sim *s)
{
    return (s->now_ns - SIM_START_NS) / 1000000;
}

int eddy_sim_fault(struct eddy_sim *sim, const struct eddy_sim_fault *fault)
{
    struct sim *s = sim_in(sim);

    return s ? eddy_sim_rule_add(s, fault) : why_not(sim);
}

int eddy_sim_refuse(struct eddy_sim *sim, const char *to, uint16_t port)
{
    struct sim *s = sim_in(sim);
    const struct eddy_sim_fault fault = { .kind = EDDY_SIM_REFUSE, .to = to, .port = port };

    return s ? eddy_sim_rule_add(s, &fault) : why_not(sim);
}

int eddy_sim_partition(struct eddy_sim *sim, const char *a, const char *b)
{
    struct sim *s = sim_in(sim);
    struct eddy_sim_fault fault = { .kind = EDDY_SIM_PARTITION, .from = a, .to = b };

    if (!s)
        return why_not(sim);
    fault.at_ms = now_ms(s);
    int r = eddy_sim_rule_add(s, &fault);
    fault.from = b;
    fault.to = a;
    if (r == 0 && (r = eddy_sim_rule_add(s, &fault)) < 0)
        s->rule_count--;
    return r;
}

/* Two hosts by name; NULL: any, -1. False: there is none of that name. */
static bool find_two(const struct sim *s, const char *a, const char *b, int *ret_one, int *ret_two)
{
    *ret_one = a ? eddy_sim_host_find(s, a) : -1;
    *ret_two = b ? eddy_sim_host_find(s, b) : -1;
    return (!a || *ret_one >= 0) && (!b || *ret_two >= 0);
}

int eddy_sim_heal(struct eddy_sim *sim, const char *a, const char *b)
{
    struct sim *s = sim_in(sim);
    size_t kept = 0;
    int one, two;

    if (!s)
        return why_not(sim);
    if (!find_two(s, a, b, &one, &two))
        return -ENOENT;
    size_t before = s->rule_count;
    for (size_t i = 0; i < before; i++) {
        const struct sim_rule *rule = &s->rules[i];
        bool is_it = rule->fault.kind == EDDY_SIM_PARTITION && rule->until_ns == INT64_MAX &&
                     ((rule->from == one && rule->to == two) ||
                      (rule->from == two && rule->to == one));
        if (!is_it)
            s->rules[kept++] = *rule;
    }
    s->rule_count = kept;
    return kept < before ? 0 : -ENOENT;
}

int eddy_sim_cut(struct eddy_sim *sim, const char *a, const char *b)
{
    struct sim *s = sim_in(sim);
    int count = 0, one, two;

    if (!s)
        return why_not(sim);
    if (!find_two(s, a, b, &one, &two))
        return -ENOENT;
    for (size_t i = 0; i < s->slot_count; i++) {
        struct sim_slot *slot = s->slots[i];
        if (slot->type != SIM_STREAM || slot->reset)
            continue;
        int from = slot->host, to = slot->remote_host;
        if (((one < 0 || one == from) && (two < 0 || two == to)) ||
            ((two < 0 || two == from) && (one < 0 || one == to))) {
            eddy_sim_reset(s, slot);
            count++;
        }
    }
    return count;
}

int eddy_sim_set_wall(struct eddy_sim *sim, int64_t wall_ns)
{
    struct sim *s = sim_in(sim);

    if (!s)
        return why_not(sim);
    if (wall_ns < 0)
        return -EINVAL;
    s->wall_offset_ns = wall_ns - s->now_ns;
    return 0;
}
