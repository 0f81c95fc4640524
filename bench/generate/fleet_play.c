/*
 * An event is its sample's values with what the host, the boot, the process and the people give put over them. Values with
 * patches are copied to scratch memory that the next event reuses.
 */
#include <errno.h>
#include <stdio.h>

#include "base/map.h"
#include "fleet_private.h"

#define UNIQUE_EVERY 20
#define NMAP_EVERY   100000

typedef struct event_maker {
    xt_fleet *fleet;
    xt_host *host;
    xt_play *play;
    const xt_sample *sample;
    xt_actor *actor, *parent;
    int64_t now_ms;
    size_t used; /* of the scratch memory */
    xt_event event;
} event_maker;

static char *take(event_maker *m, size_t n)
{
    char *at = m->fleet->scratch + m->used;
    if (m->used + n > m->fleet->n_scratch)
        return NULL;
    m->used += n;
    return at;
}

/* ------------------------------------------------------------------------------------------------ values */

/* Another inode of as many bytes. */
static uint64_t inode_of(xt_host *host, const xt_patch *patch)
{
    uint64_t low = patch->n == 1 ? 1 : UINT64_C(1) << (7 * (patch->n - 1)), high = UINT64_C(1) << (7 * patch->n);
    uint64_t v = patch->kind == XT_PATCH_INODE ? xt_mix(patch->inode ^ host->inode_seed)
                                               : host->next_inode++ * 3 + host->inode_seed;
    return low + v % (high - low);
}

static void put_varint(char *at, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++, v >>= 7)
        at[i] = (char)((v & 0x7f) | (i + 1 < n ? 0x80 : 0));
}

static void apply(event_maker *m, const xt_patch *patch, char *at)
{
    const uint32_t *people = m->play->people;
    xt_person kind = patch->kind == XT_PATCH_NAME_A || patch->kind == XT_PATCH_UID_A ? XT_PERSON_A : XT_PERSON_B;
    switch (patch->kind) {
    case XT_PATCH_NAME_A:
    case XT_PATCH_NAME_B:
        memcpy(at, xt_person_name(kind, people[kind]), patch->n);
        break;
    case XT_PATCH_UID_A:
    case XT_PATCH_UID_B:
        put_varint(at, xt_person_uid(m->host, kind, people[kind]), patch->n);
        break;
    default:
        put_varint(at, inode_of(m->host, patch), patch->n);
    }
}

static xt_slice text_bytes(event_maker *m, const xt_text *text)
{
    if (text->n_patches == 0)
        return text->bytes;
    char *at = take(m, text->bytes.n);
    if (!at)
        return text->bytes;
    memcpy(at, text->bytes.p, text->bytes.n);
    for (uint32_t i = 0; i < text->n_patches; i++)
        apply(m, &text->patches[i], at + text->patches[i].offset);
    return xt_slice_of(at, text->bytes.n);
}

static void put_values(event_maker *m)
{
    for (uint16_t i = 0; i < m->sample->n_values; i++) {
        const xt_sample_value *v = &m->sample->values[i];
        if (v->text)
            xt_event_set_bytes(&m->event, v->field, text_bytes(m, v->text));
        else
            xt_event_set_num(&m->event, v->field,
                             v->person ? xt_person_uid(m->host, v->person, m->play->people[v->person]) : v->num);
    }
}

/* ------------------------------------------------------------------------------------------------ processes */

static uint64_t session(event_maker *m)
{
    uint64_t *ses = m->sample->ses == XT_SAMPLE_SES_OF_ROOT ? &m->play->root.ses : &m->play->sessions[m->sample->ses];
    if (*ses == 0)
        *ses = m->host->next_ses++;
    return *ses;
}

static xt_actor *actor_of(event_maker *m, int32_t reference)
{
    if (reference == XT_SAMPLE_NONE)
        return NULL;
    if (reference < 0)
        return &m->play->root.actor;
    xt_actor *actor = &m->play->actors[reference];
    if (actor->pid == 0)
        actor->pid = xt_host_pid(m->host);
    return actor;
}

static void put_entity(event_maker *m, xt_field f, const xt_actor *actor)
{
    char *at = actor && actor->start_ms ? take(m, XT_EVENT_ENTITY_LEN) : NULL;
    if (!at)
        return;
    xt_event_entity_of(xt_slice_of(m->host->id, 32), xt_slice_of(m->host->boot, 36), actor->pid, actor->start_ms, at);
    xt_event_set_bytes(&m->event, f, xt_slice_of(at, XT_EVENT_ENTITY_LEN));
}

static void put_process(event_maker *m)
{
    m->parent = actor_of(m, m->sample->ppid);
    m->actor = actor_of(m, m->sample->pid);
    if (m->parent)
        xt_event_set_num(&m->event, XT_F_PPID, m->parent->pid);
    if (m->actor)
        xt_event_set_num(&m->event, XT_F_PID, m->actor->pid);
    if (m->sample->flags & XT_SAMPLE_PARENT)
        put_entity(m, XT_F_PARENT_ENTITY, m->parent);
    if (m->sample->flags & XT_SAMPLE_ENTITY)
        put_entity(m, XT_F_ENTITY, m->actor);
    if (m->actor && m->sample->flags & XT_SAMPLE_STARTS) {
        m->actor->start_ms = m->now_ms;
        m->actor->n_extra = 0;
    }
}

static void put_host(event_maker *m)
{
    xt_event_set_num(&m->event, XT_F_TIME, (uint64_t)m->now_ms);
    xt_event_set_num(&m->event, XT_F_SERIAL, m->host->next_serial++);
    xt_event_set_bytes(&m->event, XT_F_HOST, xt_slice_str(m->host->name));
    xt_event_set_bytes(&m->event, XT_F_HOST_ID, xt_slice_of(m->host->id, 32));
    xt_event_set_bytes(&m->event, XT_F_BOOT_ID, xt_slice_of(m->host->boot, 36));
    if (m->sample->ses != XT_SAMPLE_SES_NONE)
        xt_event_set_num(&m->event, XT_F_SES, session(m));
}

/* ------------------------------------------------------------------------------------------------ arguments */

/* An argument that was never there before, in the forms that such arguments have. No form can hold "nmap". */
static int format_unique(uint64_t number, char *out, size_t n)
{
    uint64_t a = xt_mix(number ^ UINT64_C(0x5bd1e995)), b = xt_mix(a + number);
    unsigned long long x = a, y = b;
    switch (number % 8) {
    case 0:
        return snprintf(out, n, "/tmp/tmp.%010llx", x & 0xffffffffffULL);
    case 1:
        return snprintf(out, n, "--request-id=%016llx", x);
    case 2:
        return snprintf(out, n, "%08llx-%04llx-4%03llx-%04llx-%012llx", x >> 32, (x >> 16) & 0xffff, x & 0xfff,
                        0x8000 | (y & 0x3fff), y >> 16);
    case 3:
        return snprintf(out, n, "/var/lib/app/releases/2026%04llu-%07llx", 1101 + x % 7, y & 0xfffffff);
    case 4:
        return snprintf(out, n, "%016llx%016llx%08llx", x, y, (x ^ y) & 0xffffffff);
    case 5:
        return snprintf(out, n, "--since=@%llu.%09llu", 1793577600 + x % 604800, y % 1000000000);
    case 6:
        return snprintf(out, n, "job-%llu-%06llx", (unsigned long long)number, x & 0xffffff);
    default:
        return snprintf(out, n, "s3://backup/%04llx/%016llx.zst", x & 0xffff, y);
    }
}

static void add_argument(event_maker *m)
{
    xt_actor *actor = m->actor;
    xt_slice args = xt_event_bytes(&m->event, XT_F_ARGS);
    xt_reader reader = xt_reader_of(args);
    uint64_t n = xt_reader_varint(&reader);
    size_t n_rest = xt_reader_left(&reader);
    char *at = take(m, args.n + XT_EXTRA_BYTES + 12);
    if (!at || reader.failed)
        return;
    xt_buf out = {.p = at, .cap = args.n + XT_EXTRA_BYTES + 12, .max_bytes = args.n + XT_EXTRA_BYTES + 11};
    xt_buf_put_varint(&out, n + 1);
    xt_buf_put(&out, xt_slice_of(reader.p, n_rest));
    xt_buf_put_block(&out, xt_slice_of(actor->extra, actor->n_extra));
    xt_event_set_bytes(&m->event, XT_F_ARGS, xt_buf_slice(&out));
}

static void vary_arguments(event_maker *m)
{
    xt_fleet *f = m->fleet;
    xt_truth *truth = &f->truth;
    if (!(m->sample->flags & XT_SAMPLE_ARGS) || !m->actor)
        return;
    truth->n_commands++;
    if (truth->n_events >= f->next_needle && truth->n_needles < XT_FLEET_NEEDLES) {
        m->actor->n_extra = (uint8_t)snprintf(m->actor->extra, XT_EXTRA_BYTES, "%s", XT_FLEET_NEEDLE);
        truth->n_needles++;
        f->next_needle += f->settings.n_events * 3 / 10;
    } else if (truth->n_commands % UNIQUE_EVERY == 0) {
        m->actor->n_extra = (uint8_t)format_unique(f->n_unique++, m->actor->extra, XT_EXTRA_BYTES);
        truth->n_unique++;
    } else {
        return;
    }
    add_argument(m);
}

/* A parent's added argument stands in its children's parent.command_line. */
static void vary_parent(event_maker *m)
{
    if (!m->parent || m->parent->n_extra == 0 || !xt_event_has(&m->event, XT_F_PARENT_CMD))
        return;
    xt_slice cmd = xt_event_bytes(&m->event, XT_F_PARENT_CMD);
    char *at = take(m, cmd.n + 1 + m->parent->n_extra);
    if (!at)
        return;
    memcpy(at, cmd.p, cmd.n);
    at[cmd.n] = ' ';
    memcpy(at + cmd.n + 1, m->parent->extra, m->parent->n_extra);
    xt_event_set_bytes(&m->event, XT_F_PARENT_CMD, xt_slice_of(at, cmd.n + 1 + m->parent->n_extra));
}

/* ------------------------------------------------------------------------------------------------ giving out */

static int make(event_maker *m)
{
    xt_fleet *f = m->fleet;
    put_host(m);
    put_values(m);
    put_process(m);
    vary_arguments(m);
    vary_parent(m);
    xt_truth_see(&f->truth, m->host, m->play, m->sample, m->now_ms);
    return f->settings.on_event(f->settings.context, m->host->index, &m->event);
}

/* Plays what the root executed itself, all at once. */
static int begin_root(xt_fleet *f, xt_host *host, int32_t number, int64_t now_ms)
{
    const xt_root *root = &f->roots[number];
    xt_base *base = &host->bases[number];
    int32_t day = (int32_t)((now_ms - XT_FLEET_START_MS) / XT_FLEET_DAY_MS);
    bool is_daemon = root->own.n_samples == 0;
    if (base->day == day || (base->day >= 0 && is_daemon))
        return 0;
    host->owed -= root->own.n_samples;
    int r = root->parent >= 0 ? begin_root(f, host, root->parent, now_ms) : 0;
    xt_actor actors[2] = {{0}};
    xt_play play = {.tree = &root->own, .start_ms = now_ms, .actors = actors};
    if (root->parent >= 0)
        play.root = host->bases[root->parent];
    const xt_base above = play.root;
    *base = (xt_base){.day = day};
    for (unsigned kind = XT_PERSON_A; kind <= XT_PERSON_B; kind++)
        base->people[kind] = root->same_session ? above.people[kind] : xt_host_person(host, kind, now_ms);
    base->ses = !root->has_session ? 0 : root->same_session && above.ses ? above.ses : host->next_ses++;
    memcpy(play.people, base->people, sizeof play.people);
    actors[0].pid = root->pid <= 2 ? root->pid
                    : is_daemon    ? 300 + (uint32_t)xt_mix(host->inode_seed + root->pid) % 1100
                                   : 0;
    for (uint32_t i = 0; i < root->own.n_samples && r == 0; i++) {
        event_maker m = {.fleet = f, .host = host, .play = &play, .sample = &root->own.samples[i], .now_ms = now_ms};
        play.root.ses = base->ses;
        r = make(&m);
    }
    base->actor = actors[0];
    if (base->actor.pid == 0)
        base->actor.pid = xt_host_pid(host);
    return r;
}

/* Before its first event a play learns who plays it. */
static int begin_play(xt_fleet *f, xt_host *host, xt_play *play, int64_t now_ms)
{
    int32_t root = play->tree->root;
    int r = root >= 0 ? begin_root(f, host, root, now_ms) : 0;
    if (root >= 0)
        play->root = host->bases[root];
    for (unsigned kind = XT_PERSON_A; kind <= XT_PERSON_B; kind++)
        play->people[kind] =
            root >= 0 && f->roots[root].has_session ? play->root.people[kind] : xt_host_person(host, kind, now_ms);
    return r;
}

int xt_play_next(xt_fleet *f, xt_host *host)
{
    xt_play *play = host->plays[0];
    event_maker m = {
        .fleet = f,
        .host = host,
        .play = play,
        .sample = &play->tree->samples[play->next],
        .now_ms = xt_host_next_ms(host),
    };
    int r = play->next == 0 ? begin_play(f, host, play, m.now_ms) : 0;
    if (r == 0)
        r = make(&m);
    xt_host_advance(host);
    if (r == 0 && f->scan && f->truth.n_events >= f->next_nmap) {
        f->next_nmap = f->truth.n_events + NMAP_EVERY / 2 + xt_random_below(&host->random, NMAP_EVERY);
        r = xt_host_begin(host, f->scan, m.now_ms + 60000);
    }
    return r;
}
