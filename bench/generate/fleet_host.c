/*
 * What a host is follows from its number and the seed alone, so that hosts do not depend on each other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet_private.h"

static const char *const roles[XT_N_ROLES] = {"web", "app", "db", "ci", "batch", "node", "mail", "bastion"};
/* Of a hundred hosts; and how busy one is. */
static const unsigned shares[XT_N_ROLES] = {30, 24, 12, 8, 8, 10, 4, 4};
static const double busy[XT_N_ROLES] = {1.0, 1.2, 0.6, 3.0, 2.0, 1.4, 0.5, 1.6};

static const char *const names_a[XT_PEOPLE_A] = {
    "alice", "aaron", "bella", "brian", "carla", "chris", "david", "diana", "elena", "emily",
    "frank", "grace", "helen", "henry", "irene", "james", "jason", "julia", "karen", "kevin",
    "laura", "linda", "maria", "mario", "naomi", "nadia", "oscar", "peter", "petra", "quinn",
    "ralph", "robin", "sarah", "simon", "steve", "susan", "tanya", "terry", "vince", "wendy",
};
static const char *const names_b[XT_PEOPLE_B] = {
    "ann", "ava", "eli", "eva", "ian", "jan", "joe", "kai", "kim", "lee", "leo", "liz",
    "max", "mia", "pam", "ray", "roy", "sam", "ted", "tim", "tom", "una", "uwe", "zoe",
};

uint64_t xt_mix(uint64_t v)
{
    v ^= v >> 30;
    v *= UINT64_C(0xbf58476d1ce4e5b9);
    v ^= v >> 27;
    v *= UINT64_C(0x94d049bb133111eb);
    return v ^ (v >> 31);
}

uint64_t xt_random(uint64_t *state)
{
    return xt_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

const char *xt_person_name(xt_person kind, uint32_t number)
{
    return kind == XT_PERSON_A ? names_a[number] : names_b[number];
}

/* Half of the hosts ask a directory, the others number their own people; two bytes as a varint in any case. */
uint32_t xt_person_uid(const xt_host *host, xt_person kind, uint32_t number)
{
    uint32_t id = kind == XT_PERSON_A ? number : XT_PEOPLE_A + number;
    if (!host->has_local_ids)
        return 2000 + id;
    return 1000 + (uint32_t)(xt_mix(host->inode_seed + id) % 8) * 80 + id;
}

static unsigned role_of(unsigned index)
{
    unsigned at = (unsigned)(xt_mix(index + 77) % 100), role = 0;
    while (at >= shares[role])
        at -= shares[role++];
    return role;
}

void xt_fleet_name_of(unsigned host, char ret[static 32])
{
    unsigned role = role_of(host), number = 1;
    for (unsigned i = 0; i < host; i++)
        number += role_of(i) == role;
    snprintf(ret, 32, "%s-%02u", roles[role], number);
}

static void choose_people(xt_host *host)
{
    for (unsigned i = 0; i < XT_HOST_PEOPLE; i++) {
        host->people[XT_PERSON_A][i] = 1 + (uint32_t)xt_random_below(&host->random, XT_PEOPLE_A - 1);
        host->people[XT_PERSON_B][i] = (uint32_t)xt_random_below(&host->random, XT_PEOPLE_B);
    }
    host->has_alice = host->index % 10 == 3;
}

int xt_host_init(xt_host *host, const xt_fleet *fleet, unsigned index)
{
    *host = (xt_host){.index = index, .role = role_of(index), .random = xt_mix(fleet->settings.seed * 1000 + index)};
    host->bases = calloc(fleet->n_roots + 1, sizeof *host->bases);
    if (!host->bases)
        return xt_error_origin(-ENOMEM);
    xt_fleet_name_of(index, host->name);
    xt_hash128_format(xt_event_import_host_id(xt_slice_str(host->name)), host->id);
    host->weight = busy[host->role] * (0.4 + (double)xt_random_below(&host->random, 1200) / 1000);
    /* A third of the hosts were made from the role's image: their files have the same inodes. */
    host->inode_seed = index % 3 == 0 ? xt_mix(host->role + 1) : xt_random(&host->random);
    host->has_local_ids = index % 2;
    host->max_pid = index % 4 == 0 ? 32768 : 4194304;
    choose_people(host);
    host->reboot_ms = INT64_MAX;
    if (xt_random_below(&host->random, 10) < 4) /* patched in the night to Wednesday or Thursday */
        host->reboot_ms = XT_FLEET_START_MS + (int64_t)(2 + host->role % 2) * XT_FLEET_DAY_MS + 3 * 3600000 +
                          (int64_t)xt_random_below(&host->random, 7200000);
    int64_t up_ms = (int64_t)xt_random_below(&host->random, 90) * XT_FLEET_DAY_MS + 1234568;
    xt_host_boot(host, fleet, XT_FLEET_START_MS - up_ms);
    host->next_serial += (uint64_t)up_ms / 400; /* as if it had run like this before */
    host->next_ses += (uint64_t)up_ms / 3600000;
    host->next_pid = host->first_pid + (uint32_t)xt_random_below(&host->random, host->max_pid - host->first_pid);
    return 0;
}

static void play_free(xt_play *play)
{
    free(play->actors);
    free(play);
}

void xt_host_boot(xt_host *host, const xt_fleet *fleet, int64_t now_ms)
{
    uint64_t a = xt_random(&host->random), b = xt_random(&host->random);
    while (host->n_plays > 0)
        play_free(host->plays[--host->n_plays]);
    for (uint32_t i = 0; i < fleet->n_roots; i++)
        host->bases[i].day = -1;
    snprintf(host->boot, sizeof host->boot, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff, 0x8000u | ((unsigned)b & 0x3fff),
             (unsigned long long)b >> 16);
    host->boot_ms = now_ms & ~INT64_C(3);
    host->first_pid = 1500;
    host->next_pid = 2000 + (uint32_t)xt_random_below(&host->random, 800);
    host->next_serial = 40 + xt_random_below(&host->random, 200);
    host->next_ses = 1;
}

void xt_host_fini(xt_host *host)
{
    while (host->n_plays > 0)
        play_free(host->plays[--host->n_plays]);
    free(host->plays);
    free(host->bases);
}

/* One in two forks never executes anything. */
uint32_t xt_host_pid(xt_host *host)
{
    host->next_pid += 1 + (uint32_t)(xt_random(&host->random) & 1);
    if (host->next_pid >= host->max_pid)
        host->next_pid = host->first_pid;
    return host->next_pid;
}

uint32_t xt_host_person(xt_host *host, xt_person kind, int64_t now_ms)
{
    int64_t since_ms = now_ms - XT_FLEET_START_MS, day = since_ms / XT_FLEET_DAY_MS;
    int64_t hour = since_ms / 3600000 % 24;
    bool alice_works = (day == 1 || day == 2 || day == 4) && hour >= 8 && hour < 18;
    if (kind == XT_PERSON_A && host->has_alice && alice_works && xt_random_below(&host->random, 4))
        return 0;
    /* Three of them are about on a day. */
    uint64_t at = xt_random_below(&host->random, 3) + (uint64_t)day;
    return host->people[kind][at % XT_HOST_PEOPLE];
}

/* ------------------------------------------------------------------------------------------------ plays */

static int64_t due_ms(const xt_play *play)
{
    return play->start_ms + play->tree->samples[play->next].after_ms;
}

static void sift_down(xt_host *host)
{
    size_t at = 0;
    xt_play *play = host->plays[0];
    int64_t due = due_ms(play);
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= host->n_plays)
            break;
        if (child + 1 < host->n_plays && due_ms(host->plays[child + 1]) < due_ms(host->plays[child]))
            child++;
        if (due <= due_ms(host->plays[child]))
            break;
        host->plays[at] = host->plays[child];
        at = child;
    }
    host->plays[at] = play;
}

static void sift_up(xt_host *host, size_t at)
{
    xt_play *play = host->plays[at];
    int64_t due = due_ms(play);
    for (; at > 0 && due < due_ms(host->plays[(at - 1) / 2]); at = (at - 1) / 2)
        host->plays[at] = host->plays[(at - 1) / 2];
    host->plays[at] = play;
}

int xt_host_begin(xt_host *host, const xt_tree *tree, int64_t start_ms)
{
    xt_play *play = calloc(1, sizeof *play);
    if (play)
        play->actors = calloc(tree->n_processes + 1, sizeof *play->actors);
    if (!play || !play->actors) {
        free(play);
        return xt_error_origin(-ENOMEM);
    }
    if (host->n_plays == host->cap_plays) {
        size_t cap = host->cap_plays ? host->cap_plays * 2 : 64;
        xt_play **grown = reallocarray(host->plays, cap, sizeof *grown);
        if (!grown) {
            play_free(play);
            return xt_error_origin(-ENOMEM);
        }
        host->plays = grown;
        host->cap_plays = cap;
    }
    play->tree = tree;
    play->start_ms = start_ms & ~INT64_C(3);
    host->plays[host->n_plays++] = play;
    sift_up(host, host->n_plays - 1);
    return 0;
}

int64_t xt_host_next_ms(const xt_host *host)
{
    return host->n_plays ? due_ms(host->plays[0]) : INT64_MAX;
}

void xt_host_advance(xt_host *host)
{
    xt_play *play = host->plays[0];
    if (++play->next == play->tree->n_samples) {
        play_free(play);
        host->plays[0] = host->plays[--host->n_plays];
        if (host->n_plays == 0)
            return;
    }
    sift_down(host);
}
