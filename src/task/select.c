/*
 * task/select.c - the first of several sends and receives
 *
 * It looks at all its channels at once: the locks of the shared ones are taken in the order of
 * their addresses, so two selects over the same channels cannot wait for each other. While it
 * holds them nobody can serve it, so it tries its cases one by one, in a random order, and if
 * none can be done stands in all queues before it lets go. Who serves it then claims it first.
 *
 * The order is drawn afresh each time: so each of the ready ones is as likely, and no case waits
 * for ever behind busy ones. A rotation would need a memory from call to call.
 */
#include "task/channel.h"

static_assert(sizeof(struct place) <= sizeof((struct eddy_select_case *)0)->opaque,
              "a case has room for its place");

struct selection {
    struct caller caller; /* first */
    struct eddy_select_case *cases;
    unsigned count;
    unsigned locks;
    struct eddy_channel *shared[EDDY_SELECT_MAX]; /* sorted, each once */
};

static struct place *place_of(struct eddy_select_case *c)
{
    return (struct place *)(void *)c->opaque;
}

/* --- all locks ---------------------------------------------------------------------------------- */

static void add_lock(struct selection *s, struct eddy_channel *ch)
{
    unsigned at = s->locks;

    while (at > 0 && (uintptr_t)s->shared[at - 1] > (uintptr_t)ch)
        at--;
    if (at > 0 && s->shared[at - 1] == ch)
        return;
    memmove(&s->shared[at + 1], &s->shared[at], (s->locks - at) * sizeof *s->shared);
    s->shared[at] = ch;
    s->locks++;
}

static void lock_all(struct selection *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->cases[i].channel && s->cases[i].channel->shared)
            add_lock(s, s->cases[i].channel);
    for (unsigned i = 0; i < s->locks; i++)
        pthread_mutex_lock(&s->shared[i]->lock);
}

static void unlock_all(struct selection *s)
{
    while (s->locks > 0)
        pthread_mutex_unlock(&s->shared[--s->locks]->lock);
}

/* --- trying ---------------------------------------------------------------------------------------- */

/* splitmix64's step and mix; the loop's chance seeds it once. */
static uint64_t roll(struct task_room *room)
{
    struct eddy_driver *d = room->root.loop->driver;

    if (!room->dice && (d->ops->random(d, &room->dice, sizeof room->dice) < 0 || !room->dice))
        room->dice = 1;
    uint64_t z = room->dice += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The index of the case that was done, or -EAGAIN. */
static int try_all(struct selection *s, struct task_room *room, struct caller **wake)
{
    uint8_t order[EDDY_SELECT_MAX];

    for (unsigned i = 0; i < s->count; i++)
        order[i] = (uint8_t)i;
    for (unsigned left = s->count; left > 0; left--) {
        unsigned pick = left > 1 ? (unsigned)(roll(room) % left) : 0;
        unsigned i = order[pick];
        order[pick] = order[left - 1];
        struct eddy_select_case *c = &s->cases[i];
        if (!c->channel)
            continue;
        c->result = c->sends ? eddy_channel_put(c->channel, c->item, wake)
                             : eddy_channel_get(c->channel, c->ret_item, wake);
        if (c->result != -EAGAIN)
            return (int)i;
    }
    return -EAGAIN;
}

/* --- waiting --------------------------------------------------------------------------------------- */

static void stand_everywhere(struct selection *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct eddy_select_case *c = &s->cases[i];
        struct place *p = place_of(c);
        if (!c->channel)
            continue;
        *p = (struct place){ .caller = &s->caller, .channel = c->channel, .index = i };
        if (c->sends)
            p->from = c->item;
        else
            p->into = c->ret_item;
        eddy_list_push(c->sends ? &c->channel->senders : &c->channel->receivers, &p->link);
    }
}

static void step_out_everywhere(struct selection *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->cases[i].channel)
            (void)eddy_channel_step_out(place_of(&s->cases[i]));
}

static void interrupted(struct eddy_wait *w, int why)
{
    /* Who claims it first has it: if that was a channel's, its wake is under way. */
    if (!atomic_exchange(&((struct caller *)(void *)w)->served, true))
        eddy__wake(w, why);
}

/* Has all the locks, gives them back, and waits to be served. */
static int wait_for_one(struct selection *s, struct eddy_task *t)
{
    struct caller *caller = &s->caller;

    caller->wait = EDDY_WAIT(interrupted, "select");
    caller->loop = t->loop;
    caller->several = true;
    caller->winner = NULL;
    atomic_init(&caller->served, false);
    stand_everywhere(s);
    unlock_all(s);
    int r = eddy_task_wait(t, &caller->wait);
    step_out_everywhere(s);
    if (!caller->winner)
        return r;
    unsigned i = caller->winner->index;
    s->cases[i].result = caller->result;
    return (int)i;
}

static int select_in(struct eddy_select_case *cases, size_t count, bool nowait)
{
    struct eddy_task *t = NULL;
    struct caller *wake = NULL;

    for (size_t i = 0; i < count; i++)
        if (cases[i].channel && eddy_channel_is_parents(cases[i].channel))
            return -EDDY_EFORKED;
    if (!nowait) {
        t = eddy_task_current();
        int r = t ? eddy_scope_reason(t->scope) : eddy_task_refusal();
        if (r < 0)
            return r;
    }
    struct task_room *room = eddy_task_room();
    if (!room)
        return eddy__loop_refusal();

    struct selection s;
    s.cases = cases;
    s.count = (unsigned)count;
    s.locks = 0;
    lock_all(&s);
    int r = try_all(&s, room, &wake);
    if (r == -EAGAIN && !nowait)
        return wait_for_one(&s, t);
    unlock_all(&s);
    eddy_channel_wake(wake);
    if (t)
        eddy_task_spend(t);
    return r;
}

int eddy_select(struct eddy_select_case *cases, size_t count,
                const struct eddy_select_options *options)
{
    if (count > EDDY_SELECT_MAX)
        return -EINVAL;
    if (!options || options->nowait || options->timeout_ms <= 0)
        return select_in(cases, count, options && options->nowait);
    EDDY_SCOPE(wait, .timeout_ms = options->timeout_ms);
    return select_in(cases, count, false);
}
