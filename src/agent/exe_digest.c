/*
 * How it works: one loop. What waits to be asked comes first, and most of it is answered by a look at the file and the cache; a file
 * whose digest is not known is read in steps between questions, so that a large one makes nobody wait but those who asked for
 * it. The cache is sets of a few places each; the one that was used longest ago goes.
 */
#include "agent/exe_digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/exe_file.h"
#include "base/clock.h"

#define WAYS       8
#define SETS       (XT_DIGEST_CACHE / WAYS)
#define JOBS       32
#define WAITERS    256 /* of a job */
#define SETTLED_MS 20
#define STEP_BYTES ((size_t)1 << 20)
#define READ_BYTES ((size_t)128 << 10)

typedef struct place {
    xt_exe_key key;
    uint64_t used; /* 0: empty */
    uint8_t digest[XT_DIGEST_BYTES];
} place;

typedef struct job {
    xt_exe_key key;
    int fd;
    EVP_MD_CTX *sum;
    uint64_t n_read;
    uint32_t waiters[WAITERS];
    unsigned n_waiters;
} job;

typedef struct digester {
    int fd;
    place places[SETS][WAYS];
    uint64_t clock; /* of uses */
    job jobs[JOBS];
    unsigned n_jobs;
    xt_buf answers;
    char in[XT_DIGEST_DATAGRAM];
    char chunk[READ_BYTES];
} digester;

/* ------------------------------------------------------------------------------------------- messages */

void xt_digest_question_put(xt_buf *out, const xt_digest_question *q)
{
    xt_buf_put_u32(out, q->number);
    xt_buf_put_u32(out, q->pid);
    xt_buf_put_u32(out, q->ppid);
    xt_buf_put_u64(out, (uint64_t)q->time_ms);
    xt_buf_put_u8(out, (uint8_t)q->n_files);
    for (unsigned i = 0; i < q->n_files; i++) {
        xt_buf_put_u64(out, q->files[i].device);
        xt_buf_put_u64(out, q->files[i].inode);
    }
    xt_buf_put_block(out, q->path);
}

bool xt_digest_question_next(xt_slice *rest, xt_digest_question *ret)
{
    xt_reader reader = xt_reader_of(*rest);
    xt_digest_question q = {.number = xt_reader_u32(&reader)};
    q.pid = xt_reader_u32(&reader);
    q.ppid = xt_reader_u32(&reader);
    q.time_ms = (int64_t)xt_reader_u64(&reader);
    q.n_files = xt_reader_u8(&reader);
    if (reader.failed || q.n_files > XT_DIGEST_FILES)
        return false;
    for (unsigned i = 0; i < q.n_files; i++) {
        q.files[i].device = xt_reader_u64(&reader);
        q.files[i].inode = xt_reader_u64(&reader);
    }
    q.path = xt_reader_block(&reader);
    if (reader.failed)
        return false;
    *ret = q;
    *rest = xt_slice_of(reader.p, xt_reader_left(&reader));
    return true;
}

void xt_digest_answer_put(xt_buf *out, const xt_digest_answer *answer)
{
    xt_buf_put_u32(out, answer->number);
    xt_buf_put_u8(out, answer->is_known);
    xt_buf_put(out, xt_slice_of(answer->digest, sizeof answer->digest));
}

bool xt_digest_answer_next(xt_slice *rest, xt_digest_answer *ret)
{
    xt_reader reader = xt_reader_of(*rest);
    xt_digest_answer answer = {.number = xt_reader_u32(&reader)};
    answer.is_known = xt_reader_u8(&reader) == 1;
    xt_slice digest = xt_reader_bytes(&reader, sizeof answer.digest);
    if (reader.failed)
        return false;
    memcpy(answer.digest, digest.p, sizeof answer.digest);
    *ret = answer;
    *rest = xt_slice_of(reader.p, xt_reader_left(&reader));
    return true;
}

/* ------------------------------------------------------------------------------------------- the cache */

static place *set_of(digester *d, const xt_exe_key *key)
{
    return d->places[xt_slice_hash(xt_slice_of(key, sizeof *key)) % SETS];
}

static const uint8_t *cache_find(digester *d, const xt_exe_key *key)
{
    place *set = set_of(d, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].used && xt_exe_key_eq(&set[i].key, key)) {
            set[i].used = ++d->clock;
            return set[i].digest;
        }
    return NULL;
}

/* A file that was written just now may be written again without its ctime going on: that counts in ticks. */
static bool is_settled(const xt_exe_key *key)
{
    return xt_clock_wall_ms(&xt_clock_system) - key->ctime_ns / 1000000 > SETTLED_MS;
}

static void cache_put(digester *d, const xt_exe_key *key, const uint8_t *digest)
{
    if (!is_settled(key))
        return;
    place *set = set_of(d, key), *least = set;
    for (unsigned i = 1; i < WAYS; i++)
        if (set[i].used < least->used)
            least = &set[i];
    *least = (place){.key = *key, .used = ++d->clock};
    memcpy(least->digest, digest, sizeof least->digest);
}

/* ------------------------------------------------------------------------------------------- answers, jobs */

static void send_answers(digester *d)
{
    if (d->answers.n > 0 && xt_buf_done(&d->answers) == 0)
        (void)send(d->fd, d->answers.p, d->answers.n, MSG_NOSIGNAL); /* whoever is gone, the next receive tells */
    xt_buf_reset(&d->answers);
}

static void answer(digester *d, uint32_t number, const uint8_t *digest)
{
    xt_digest_answer a = {.number = number, .is_known = digest != NULL};
    if (digest)
        memcpy(a.digest, digest, sizeof a.digest);
    xt_digest_answer_put(&d->answers, &a);
    if (d->answers.n > XT_DIGEST_DATAGRAM - 64)
        send_answers(d);
}

static bool job_join(digester *d, uint32_t number, const xt_exe_key *key)
{
    for (unsigned i = 0; i < d->n_jobs; i++) {
        job *j = &d->jobs[i];
        if (!xt_exe_key_eq(&j->key, key) || j->n_waiters == WAITERS)
            continue;
        j->waiters[j->n_waiters++] = number;
        return true;
    }
    return false;
}

static bool job_add(digester *d, uint32_t number, const xt_exe_key *key, const char *path, int *fd)
{
    if (d->n_jobs == JOBS || key->size > XT_DIGEST_MAX_BYTES || (*fd < 0 && xt_exe_file_open(path, key, fd) != 0))
        return false;
    job *j = &d->jobs[d->n_jobs];
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    if (!sum || EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(sum);
        return false;
    }
    *j = (job){.key = *key, .fd = *fd, .sum = sum, .n_waiters = 1};
    j->waiters[0] = number;
    d->n_jobs++;
    *fd = -1;
    return true;
}

static void on_question(digester *d, const xt_digest_question *q)
{
    xt_exe_key key;
    char path[8192];
    int fd;
    if (xt_exe_file_find(q, &key, &fd, path) != 0) {
        answer(d, q->number, NULL);
        return;
    }
    const uint8_t *digest = cache_find(d, &key);
    if (digest || (!job_join(d, q->number, &key) && !job_add(d, q->number, &key, path, &fd)))
        answer(d, q->number, digest);
    if (fd >= 0)
        close(fd);
}

static void job_end(digester *d, job *j, const uint8_t *digest)
{
    close(j->fd);
    EVP_MD_CTX_free(j->sum);
    if (digest)
        cache_put(d, &j->key, digest);
    for (unsigned i = 0; i < j->n_waiters; i++)
        answer(d, j->waiters[i], digest);
    *j = d->jobs[--d->n_jobs];
}

/* -EIO: it cannot be read, or changed meanwhile. */
static int read_step(digester *d, job *j, bool *ret_is_whole)
{
    xt_exe_key now;
    for (size_t n_step = 0; n_step < STEP_BYTES && !*ret_is_whole;) {
        ssize_t n = read(j->fd, d->chunk, sizeof d->chunk);
        if (n < 0 || j->n_read + (uint64_t)n > j->key.size || EVP_DigestUpdate(j->sum, d->chunk, (size_t)n) != 1)
            return -EIO;
        *ret_is_whole = n == 0;
        n_step += (size_t)n;
        j->n_read += (uint64_t)n;
    }
    if (!*ret_is_whole)
        return 0;
    return j->n_read == j->key.size && xt_exe_key_get(j->fd, &now) && xt_exe_key_eq(&now, &j->key) ? 0 : -EIO;
}

/* Who has least left comes first: a compiler's hundred megabytes keep nobody else waiting. */
static job *next_job(digester *d)
{
    job *least = d->jobs;
    for (unsigned i = 1; i < d->n_jobs; i++)
        if (d->jobs[i].key.size - d->jobs[i].n_read < least->key.size - least->n_read)
            least = &d->jobs[i];
    return least;
}

static void job_step(digester *d)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool is_whole = false;
    job *j = next_job(d);
    int r = read_step(d, j, &is_whole);
    if (r == 0 && !is_whole)
        return;
    bool is_good = r == 0 && EVP_DigestFinal_ex(j->sum, digest, &n) == 1 && n == XT_DIGEST_BYTES;
    job_end(d, j, is_good ? digest : NULL);
    send_answers(d);
}

static bool take_questions(digester *d)
{
    xt_digest_question q;
    ssize_t n = recv(d->fd, d->in, sizeof d->in, 0);
    if (n == 0 || (n < 0 && errno != EINTR))
        return false;
    xt_slice rest = xt_slice_of(d->in, n > 0 ? (size_t)n : 0);
    while (rest.n > 0 && xt_digest_question_next(&rest, &q))
        on_question(d, &q);
    send_answers(d);
    return true;
}

void xt_exe_digest_run(int fd)
{
    digester *d = calloc(1, sizeof *d);
    bool goes_on = d != NULL;
    if (d)
        d->fd = fd;
    while (goes_on) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, d->n_jobs ? 0 : -1);
        if (n > 0)
            goes_on = take_questions(d);
        else if (d->n_jobs)
            job_step(d);
    }
    while (d && d->n_jobs)
        job_end(d, d->jobs, NULL);
    if (d)
        xt_buf_fini(&d->answers);
    free(d);
}
