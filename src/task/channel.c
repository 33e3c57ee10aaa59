/*
 * task/channel.c - channels: the buffer, the queues, sending and receiving
 *
 * At any moment at most one of these holds: items are buffered; receivers wait. And senders wait
 * only while the buffer is full. So nobody overtakes: who takes an item from a full buffer puts
 * the first waiting sender's in.
 */
#include "task/channel.h"

#include "base/memory.h"

#define ITEM_MAX 4096
#define BUFFER_MAX ((size_t)1 << 30)

/* --- birth and end ----------------------------------------------------------------------------- */

int eddy_channel_new(size_t item_size, const struct eddy_channel_options *options,
                     struct eddy_channel **ret_channel)
{
    size_t capacity = options ? options->capacity : 0;

    if (item_size > ITEM_MAX || capacity > BUFFER_MAX / (item_size ? item_size : 1))
        return -EINVAL;
    size_t bytes = sizeof(struct eddy_channel) + capacity * item_size;
    struct eddy_channel *ch = eddy__alloc(bytes);
    if (!ch)
        return -ENOMEM;
    *ch = (struct eddy_channel){ .item_size = item_size,
                                 .capacity = capacity,
                                 .forks = eddy_forks,
                                 .shared = options && options->shared,
                                 .bytes = bytes };
    eddy_list_init(&ch->senders);
    eddy_list_init(&ch->receivers);
    if (ch->shared)
        pthread_mutex_init(&ch->lock, NULL);
    *ret_channel = ch;
    return 0;
}

void eddy_channel_free(struct eddy_channel *ch)
{
    if (!ch)
        return;
    if (eddy_channel_is_parents(ch)) {
        eddy__free(ch, ch->bytes);
        return;
    }
    assert(eddy_list_is_empty(&ch->senders) && eddy_list_is_empty(&ch->receivers) &&
           "a channel is freed when nobody waits in it");
    if (ch->shared)
        pthread_mutex_destroy(&ch->lock);
    eddy__free(ch, ch->bytes);
}

/* --- items ---------------------------------------------------------------------------------------- */

/* Most items are a pointer or a number: no call for those. */
static inline void copy(const struct eddy_channel *ch, void *to, const void *from)
{
    if (ch->item_size == sizeof(void *))
        memcpy(to, from, sizeof(void *));
    else if (ch->item_size)
        memcpy(to, from, ch->item_size);
}

static inline void push(struct eddy_channel *ch, const void *item)
{
    size_t at = ch->head + ch->count++;

    if (at >= ch->capacity)
        at -= ch->capacity;
    copy(ch, (char *)ch->buffer + at * ch->item_size, item);
}

static inline void pop(struct eddy_channel *ch, void *ret_item)
{
    copy(ch, ret_item, (char *)ch->buffer + ch->head * ch->item_size);
    ch->count--;
    if (++ch->head == ch->capacity)
        ch->head = 0;
}

/* --- who waits --------------------------------------------------------------------------------------- */

/* The first that nobody else serves already, out of the queue; it will be woken with @result. */
static inline struct place *next_waiter(struct eddy_list *queue, int result, struct caller **wake)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(queue))) {
        struct place *p = eddy_container_of(link, struct place, link);
        struct caller *c = p->caller;
        if (c->several && atomic_exchange(&c->served, true))
            continue;
        c->winner = p;
        c->result = result;
        c->next = *wake;
        *wake = c;
        return p;
    }
    return NULL;
}

static void wake_posted(void *ctx)
{
    struct caller *c = ctx;

    eddy__wake(&c->wait, c->result);
}

void eddy_channel_wake_slow(struct caller *list)
{
    struct eddy_loop *here = eddy__loop();

    while (list) {
        struct caller *c = list;
        list = c->next; /* before it is woken: then it may be gone */
        if (c->loop == here) {
            eddy__wake(&c->wait, c->result);
        } else {
            c->post = (struct eddy_post){ .fn = wake_posted, .ctx = c, .embedded = true };
            eddy__post_embedded(c->loop, &c->post);
        }
    }
}

bool eddy_channel_step_out(struct place *place)
{
    struct eddy_channel *ch = place->channel;

    if (eddy_channel_is_parents(ch))
        return true;
    eddy_channel_lock(ch);
    bool stood = !eddy_list_is_empty(&place->link);
    eddy_list_remove(&place->link);
    eddy_channel_unlock(ch);
    return stood;
}

/* --- the two things that can be done ------------------------------------------------------------------- */

int eddy_channel_put(struct eddy_channel *ch, const void *item, struct caller **wake)
{
    if (ch->closed)
        return -EPIPE;
    struct place *receiver = next_waiter(&ch->receivers, 1, wake);
    if (receiver)
        copy(ch, receiver->into, item);
    else if (ch->count < ch->capacity)
        push(ch, item);
    else
        return -EAGAIN;
    ch->entered++;
    return 0;
}

int eddy_channel_get(struct eddy_channel *ch, void *ret_item, struct caller **wake)
{
    if (ch->count > 0) {
        pop(ch, ret_item);
        struct place *sender = next_waiter(&ch->senders, 0, wake);
        if (sender) {
            push(ch, sender->from);
            ch->entered++;
        }
        return 1;
    }
    struct place *sender = next_waiter(&ch->senders, 0, wake);
    if (sender) {
        copy(ch, ret_item, sender->from);
        ch->entered++;
        return 1;
    }
    return ch->closed ? 0 : -EAGAIN;
}

void eddy_channel_serve_all(struct eddy_list *queue, int result, struct caller **wake)
{
    struct caller *served = NULL;

    while (next_waiter(queue, result, &served))
        ;
    /* They were put in front of each other: turned round, who came first is woken first. */
    while (served) {
        struct caller *next = served->next;
        served->next = *wake;
        *wake = served;
        served = next;
    }
}

void eddy_channel_end(struct eddy_channel *ch, struct caller **wake)
{
    ch->closed = true;
    eddy_channel_serve_all(&ch->senders, -EPIPE, wake);
    eddy_channel_serve_all(&ch->receivers, 0, wake);
}

size_t eddy_channel_drop(struct eddy_channel *ch)
{
    size_t dropped = ch->count;

    ch->count = 0;
    return dropped;
}

void eddy_channel_close(struct eddy_channel *ch)
{
    struct caller *wake = NULL;

    if (eddy_channel_is_parents(ch))
        return;
    eddy_channel_lock(ch);
    eddy_channel_end(ch, &wake);
    eddy_channel_unlock(ch);
    eddy_channel_wake(wake);
}

/* --- calls ------------------------------------------------------------------------------------------------ */

struct single {
    struct caller caller; /* first */
    struct place place;
};

static void interrupted(struct eddy_wait *w, int why)
{
    /* If it was served meanwhile, from another thread, the post that says so is under way. */
    if (eddy_channel_step_out(&((struct single *)(void *)w)->place))
        eddy__wake(w, why);
}

int eddy_channel_wait_in(struct eddy_channel *ch, struct eddy_task *t, struct eddy_list *queue,
                         void *item, const char *what)
{
    struct single s;

    s.caller.wait = EDDY_WAIT(interrupted, what);
    s.caller.loop = t->loop;
    s.caller.several = false;
    s.place.caller = &s.caller;
    s.place.into = item;
    s.place.channel = ch;
    eddy_list_push(queue, &s.place.link);
    eddy_channel_unlock(ch);
    return eddy_task_wait(t, &s.caller.wait);
}

int eddy_channel_send(struct eddy_channel *ch, const void *item)
{
    struct eddy_task *t;
    struct caller *wake = NULL;

    int r = eddy_channel_enter(ch, &t);
    if (r < 0)
        return r;
    eddy_channel_lock(ch);
    r = eddy_channel_put(ch, item, &wake);
    if (r == -EAGAIN)
        return eddy_channel_wait_in(ch, t, &ch->senders, (void *)(uintptr_t)item, "send");
    eddy_channel_unlock(ch);
    eddy_channel_wake(wake);
    eddy_task_spend(t);
    return r;
}

int eddy_channel_receive(struct eddy_channel *ch, void *ret_item)
{
    struct eddy_task *t;
    struct caller *wake = NULL;

    int r = eddy_channel_enter(ch, &t);
    if (r < 0)
        return r;
    eddy_channel_lock(ch);
    r = eddy_channel_get(ch, ret_item, &wake);
    if (r == -EAGAIN)
        return eddy_channel_wait_in(ch, t, &ch->receivers, ret_item, "receive");
    eddy_channel_unlock(ch);
    eddy_channel_wake(wake);
    eddy_task_spend(t);
    return r;
}

int eddy_channel_try_send(struct eddy_channel *ch, const void *item)
{
    struct caller *wake = NULL;

    if (eddy_channel_is_parents(ch))
        return -EDDY_EFORKED;
    eddy_channel_lock(ch);
    int r = eddy_channel_put(ch, item, &wake);
    eddy_channel_unlock(ch);
    eddy_channel_wake(wake);
    return r;
}

int eddy_channel_try_receive(struct eddy_channel *ch, void *ret_item)
{
    struct caller *wake = NULL;

    if (eddy_channel_is_parents(ch))
        return -EDDY_EFORKED;
    eddy_channel_lock(ch);
    int r = eddy_channel_get(ch, ret_item, &wake);
    eddy_channel_unlock(ch);
    eddy_channel_wake(wake);
    return r;
}

size_t eddy_channel_count(const struct eddy_channel *ch)
{
    struct eddy_channel *at = (struct eddy_channel *)(uintptr_t)ch;

    if (eddy_channel_is_parents(ch))
        return 0;
    eddy_channel_lock(at);
    size_t count = at->count;
    eddy_channel_unlock(at);
    return count;
}
