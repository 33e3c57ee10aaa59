/*
 * PostgreSQL by its own library, a task for each question: libpq does the I/O and says what it waits
 * for, eddy_wait_fd() waits. Three questions that take a while each take that while in all.
 *
 * pkg-config: libpq
 *     build/bin/examples/libpq "host=/run/postgresql dbname=postgres" "select now()" "select 6 * 7"
 */
#include <eddy.h>
#include <libpq-fe.h>
#include <stdio.h>

/* Until the connection is made, or cannot be. */
static int finish_connect(PGconn *db)
{
    for (;;) {
        PostgresPollingStatusType status = PQconnectPoll(db);
        if (status == PGRES_POLLING_OK)
            return 0;
        if (status == PGRES_POLLING_FAILED)
            return -ECONNREFUSED;
        int r = eddy_wait_fd(PQsocket(db),
                             status == PGRES_POLLING_READING ? EDDY_READABLE : EDDY_WRITABLE);
        if (r < 0)
            return r;
    }
}

static int next_result(PGconn *db, PGresult **ret)
{
    while (PQisBusy(db)) {
        int r = eddy_wait_fd(PQsocket(db), EDDY_READABLE);
        if (r < 0)
            return r;
        if (!PQconsumeInput(db))
            return -EIO;
    }
    *ret = PQgetResult(db);
    return 0;
}

static int print_answer(PGconn *db, const char *question)
{
    PGresult *result = NULL;

    int r = PQsendQuery(db, question) ? PQflush(db) : -EIO;
    while (r == 1) { /* the question is larger than what the kernel takes at once */
        r = eddy_wait_fd(PQsocket(db), EDDY_READABLE | EDDY_WRITABLE);
        if (r >= 0 && PQconsumeInput(db))
            r = PQflush(db);
    }
    while (r >= 0 && (r = next_result(db, &result)) == 0 && result) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            printf("%s: %s\n", question,
                   PQntuples(result) ? PQgetvalue(result, 0, 0) : "(no rows)");
        else
            printf("%s: %s", question, PQresultErrorMessage(result));
        PQclear(result);
    }
    return r;
}

struct ask_args {
    const char *where, *question;
};

static int ask(struct ask_args *a)
{
    PGconn *db = PQconnectStart(a->where);

    int r = db && PQstatus(db) != CONNECTION_BAD ? finish_connect(db) : -ECONNREFUSED;
    if (r == 0 && PQsetnonblocking(db, 1) == 0)
        r = print_answer(db, a->question);
    if (r == -ECONNREFUSED || r == -EIO)
        fprintf(stderr, "libpq: %s", PQerrorMessage(db));
    PQfinish(db);
    return r;
}
EDDY_TASK(ask);

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: libpq CONNINFO QUESTION...\n");
        return 2;
    }
    EDDY_SCOPE(all, .timeout_ms = 10000);
    for (int i = 2; i < argc; i++)
        EDDY_GO(&all, ask, .where = argv[1], .question = argv[i]);
    int r = eddy_join(&all);
    if (r == -ETIMEDOUT)
        fprintf(stderr, "libpq: no answer in 10 s\n");
    return r < 0;
}
