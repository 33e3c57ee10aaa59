/*
 * tls/bio.c - how OpenSSL reads and writes: from the filter's buffers, with no copy between
 *
 * A memory BIO would copy each record once more each way, and grow without bound.
 */
#include "tls/filter.h"

#include <pthread.h>

static size_t take(struct tls_filter *f, char *to, size_t cap)
{
    struct eddy_slice held = eddy_buffer_bytes(&f->cipher);
    size_t len;

    if (held.len) {
        len = held.len < cap ? held.len : cap;
        memcpy(to, held.ptr, len);
        eddy_buffer_take(&f->cipher, len);
        return len;
    }
    len = f->lent_len < cap ? f->lent_len : cap;
    if (len) {
        memcpy(to, f->lent, len);
        f->lent += len;
        f->lent_len -= len;
    }
    return len;
}

static int bio_read(BIO *bio, char *to, size_t cap, size_t *ret_len)
{
    struct tls_filter *f = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_len = take(f, to, cap);
    if (*ret_len)
        return 1;
    if (!f->below_ended)
        BIO_set_retry_read(bio);
    return 0;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *ret_len)
{
    struct tls_filter *f = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    int r = eddy_buffer_append(&f->out, from, len);
    if (r < 0) {
        if (!f->out_error)
            f->out_error = r;
        return 0;
    }
    *ret_len = len;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_filter *f = BIO_get_data(bio);

    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return f->below_ended && !f->lent_len && !eddy_buffer_bytes(&f->cipher).len;
    default: return 0;
    }
}

static BIO_METHOD *method;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "eddy transport");

    if (!m)
        return;
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_control);
    method = m;
}

BIO *tls_bio_new(struct tls_filter *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, f);
        BIO_set_init(bio, 1);
    }
    return bio;
}
