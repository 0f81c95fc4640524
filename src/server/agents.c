/*
 * The writer answers on its own thread: outcomes are put into a list and an eventfd wakes the loop, which goes through the
 * list once, keeps the highest number per link and sends one acknowledgement for all of it.
 */
#include "server/agents.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/agents_private.h"
#include "server/app_parts.h"
#include "server/secret.h"

enum {
    RETRY_MS = 20,
    MAX_NEW = 4096, /* connections without a hello */
    CROWDED_AGAIN_MS = 60000,
    CROWD_MS = 1000, /* a handshake takes moments; a fleet that comes back at once takes a while all the same */
    FRAME_S = 30,
    POLICY_MS = 200,
    POLICIES_AT_ONCE = 200,
    BACKLOG = 4096,     /* a fleet that comes back at once waits here, and not half-way through its handshakes */
    ACCEPT_AT_ONCE = 8, /* then those that are there have their turn */
    RETRY_AT_ONCE = 512,
    LOOK_MS = 500,
    RENEW_MS = 5, /* of work for a renewal and the connection that proves it: they are spread by that much a host */
};

/* ------------------------------------------------------------------------------------ from the writer's thread */

static void done(void *context, int outcome, uint64_t number)
{
    xt_agent_link *link = context;
    xt_agents *agents = link->agents;
    uint64_t one = 1;

    pthread_mutex_lock(&agents->lock);
    assert(agents->n_outcomes < agents->cap_outcomes);
    agents->outcomes[agents->n_outcomes++] = (xt_agent_outcome){link, outcome, number};
    if (agents->n_outcomes == 1 && write(agents->wake_fd, &one, sizeof one) < 0)
        xt_log(XT_LOG_ERROR, "agents: eventfd: %s", strerror(errno)); /* cannot happen: the counter never fills */
    agents->n_waiting--;
    pthread_cond_signal(&agents->settled);
    pthread_mutex_unlock(&agents->lock);
}

/* Room for the outcome is made before the batch goes, so that `done` cannot fail. */
static int make_room(xt_agents *agents)
{
    size_t need = agents->n_outcomes + agents->n_waiting + 1;

    if (need <= agents->cap_outcomes)
        return 0;
    size_t cap = need * 2;
    xt_agent_outcome *grown = reallocarray(agents->outcomes, cap, sizeof *grown);
    if (!grown)
        return xt_error_origin(-ENOMEM);
    agents->outcomes = grown;
    agents->cap_outcomes = cap;
    return 0;
}

int xt_agents_ingest(xt_agent_link *link, xt_slice payload)
{
    xt_agents *agents = link->agents;

    if (!xt_writer_admits(agents->app->writer, xt_slice_str(link->host_id)))
        return -EAGAIN;
    pthread_mutex_lock(&agents->lock);
    int r = make_room(agents);
    agents->n_waiting += r == 0;
    pthread_mutex_unlock(&agents->lock);
    if (r)
        return -EAGAIN; /* memory may come back */
    link->n_pending++;
    r = xt_app_ingest(agents->app, xt_slice_str(link->host_id), payload, done, link);
    if (r == 0) {
        agents->gather.n_batches++;
        return 0;
    }
    link->n_pending--;
    pthread_mutex_lock(&agents->lock);
    agents->n_waiting--;
    pthread_mutex_unlock(&agents->lock);
    return -EAGAIN;
}

/* ----------------------------------------------------------------------------------------------- on the loop */

static void note(xt_agent_link *link, const xt_agent_outcome *outcome)
{
    bool good = outcome->outcome == 0 || outcome->outcome == XT_STORE_E_DUPLICATE;

    link->n_pending--;
    if (link->refusal)
        return; /* what follows a refused batch is sent again anyway */
    if (!good)
        link->refusal = outcome->outcome;
    else if (outcome->number > link->ack)
        link->ack = outcome->number;
}

static void answer(xt_agent_link *link)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;

    link->touched = false;
    if (link->phase == XT_AGENT_DEAD) {
        xt_agent_link_reap(link);
        return;
    }
    if (link->phase == XT_AGENT_TALKING && link->ack) {
        xt_ack ack = {.number = link->ack, .gather_ms = link->agents->gather.ms};
        xt_ack_put(&payload, &ack);
        xt_agent_link_send(link, XT_FRAME_ACK, &payload);
    }
    link->ack = 0;
    if (link->phase == XT_AGENT_TALKING && link->refusal)
        xt_agent_refuse_outcome(link, link->refusal);
    if (link->paused)
        xt_agent_link_advance(link);
}

static void answer_all(xt_agents *agents)
{
    xt_agent_link *touched = NULL, **end = &touched;

    pthread_mutex_lock(&agents->lock);
    for (size_t i = 0; i < agents->n_outcomes; i++) {
        xt_agent_link *link = agents->outcomes[i].link;
        note(link, &agents->outcomes[i]);
        if (link->touched)
            continue;
        link->touched = true;
        link->next_touched = NULL;
        *end = link;
        end = &link->next_touched;
    }
    agents->n_outcomes = 0;
    pthread_mutex_unlock(&agents->lock);
    while (touched) {
        xt_agent_link *next = touched->next_touched;
        answer(touched);
        touched = next;
    }
}

/* -------------------------------------------------------------------------------------- changes of the fleet */

/* On any thread. */
static void on_fleet(void *context)
{
    xt_agents *agents = context;
    uint64_t one = 1;

    atomic_store(&agents->fleet_changed, true);
    if (write(agents->wake_fd, &one, sizeof one) < 0)
        xt_log(XT_LOG_ERROR, "agents: eventfd: %s", strerror(errno));
}

/* New connections are made under the CAs of now. */
static void take_cas(xt_agents *agents)
{
    xt_problem problem = XT_PROBLEM_INIT;
    SSL_CTX *context = NULL;

    agents->generation = atomic_load(&agents->app->pki.generation);
    if (xt_pki_context(&agents->app->pki, &context, &problem)) {
        xt_log_problem(XT_LOG_ERROR, &problem);
        return;
    }
    SSL_CTX_free(agents->context); /* connections hold it as long as they need it */
    agents->context = context;
}

/* Looks at every connection: who is not welcome any more goes at once, and all hear of new CAs. */
static void sweep(xt_agents *agents)
{
    bool new_cas = agents->generation != atomic_load(&agents->app->pki.generation);
    uint64_t n = 0;
    xt_agent_link *next;

    if (new_cas)
        take_cas(agents);
    for (xt_agent_link *link = agents->links; link; link = link->next)
        n++;
    for (xt_agent_link *link = agents->links; link; link = next) {
        next = link->next;
        if (link->phase == XT_AGENT_TALKING && xt_agent_is_welcome(link) && new_cas)
            xt_agent_send_trust(link, n * RENEW_MS);
    }
}

/* Orders are signed: of ten thousand hosts some at a time, so that nobody waits. */
static void on_policy(evutil_socket_t fd, short what, void *context)
{
    xt_agents *agents = context;
    uint64_t generation = xt_policies_generation(agents->app->policies);
    unsigned n = 0;

    if (agents->policy_generation == generation)
        return;
    for (xt_agent_link *link = agents->links; link; link = link->next) {
        if (link->phase != XT_AGENT_TALKING || link->policy_generation == generation)
            continue;
        if (n++ == POLICIES_AT_ONCE)
            return;
        xt_agent_send_policy(link);
    }
    agents->policy_generation = generation;
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    xt_agents *agents = context;
    uint64_t n;

    if (read(fd, &n, sizeof n) < 0 && errno != EAGAIN)
        xt_log(XT_LOG_ERROR, "agents: eventfd: %s", strerror(errno));
    answer_all(agents);
    if (atomic_exchange(&agents->fleet_changed, false))
        sweep(agents);
}

void xt_agents_retry_later(xt_agents *agents)
{
    struct timeval t = {.tv_usec = RETRY_MS * 1000};

    if (!evtimer_pending(agents->retry, NULL))
        evtimer_add(agents->retry, &t);
}

/* Those who wait longest first; who has to wait on goes behind the others. */
static void on_retry(evutil_socket_t fd, short what, void *context)
{
    xt_agents *agents = context;

    event_add(agents->listener, NULL);
    xt_agent_link *last = agents->paused_last, *link = NULL;
    for (unsigned i = 0; i < RETRY_AT_ONCE && agents->paused_first && link != last; i++) {
        link = agents->paused_first;
        xt_agent_link_advance(link);
    }
    if (agents->paused_first)
        xt_agents_retry_later(agents);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    xt_agents *agents = context;
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    xt_agent_link *next;

    for (xt_agent_link *link = agents->links; link; link = next) {
        next = link->next;
        xt_agent_link_look(link, now_ms);
    }
    unsigned before_ms = agents->gather.ms;
    if (xt_gather_look(&agents->gather, xt_writer_is_behind(agents->app->writer), now_ms))
        xt_log(XT_LOG_INFO, "agents: asked to gather events for %u ms instead of %u: %llu batches a second came",
               agents->gather.ms, before_ms, (unsigned long long)agents->gather.per_s);
}

/* Who means well says hello within moments; whoever only holds connections open holds the oldest. */
static void drop_oldest(xt_agents *agents)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);

    if (!agents->crowded_ms || now_ms - agents->crowded_ms > CROWDED_AGAIN_MS)
        xt_log(XT_LOG_WARN, "agents: %zu connections say no hello; for each new one the oldest goes, as that of %s",
               agents->n_new, agents->new_first->address);
    agents->crowded_ms = now_ms;
    xt_agent_link_close(agents->new_first);
}

/* Who waited for too long went away again: a handshake with him would be for nothing, and the next would wait for it. */
static bool has_gone(int fd)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state != TCP_ESTABLISHED;
}

static void welcome_socket(xt_agents *agents, int fd, const struct sockaddr *peer, socklen_t n)
{
    char host[NI_MAXHOST], port[NI_MAXSERV], address[64];
    xt_buf text = XT_BUF_ON(address);
    xt_agent_link *link;

    if (agents->n_new >= agents->max_new)
        drop_oldest(agents);
    if (getnameinfo(peer, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        xt_buf_printf(&text, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    address[text.failed ? 0 : text.n] = '\0';
    int r = xt_agent_link_open(agents, agents->context, fd, address, &link);
    if (r)
        xt_log(XT_LOG_ERROR, "agent %s: %s", address, strerror(-r));
}

/* All of them came just now: they are at work, and whoever is next waits to be accepted. */
static bool is_busy_with_new(const xt_agents *agents)
{
    return xt_clock_mono_ms(&xt_clock_system) - agents->new_first->heard_ms < CROWD_MS;
}

static void on_accept(evutil_socket_t fd, short what, void *context)
{
    xt_agents *agents = context;

    for (unsigned i = 0; i < ACCEPT_AT_ONCE; i++) {
        if (agents->n_new >= agents->max_new && is_busy_with_new(agents)) {
            event_del(agents->listener);
            xt_agents_retry_later(agents);
            return;
        }
        struct sockaddr_storage peer;
        socklen_t n = sizeof peer;
        int accepted = accept4(fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0 && has_gone(accepted)) {
            close(accepted);
        } else if (accepted >= 0) {
            welcome_socket(agents, accepted, (const struct sockaddr *)&peer, n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* out of descriptors, most likely: accepting again at once would spin */
            xt_log(XT_LOG_ERROR, "agents: a connection cannot be accepted: %s", strerror(errno));
            event_del(agents->listener);
            xt_agents_retry_later(agents);
            return;
        }
    }
}

/* -------------------------------------------------------------------------------------------- open and close */

static int split_address(const char *address, char *host, size_t n_host, char *port, size_t n_port,
                         xt_problem *reterr_problem)
{
    xt_slice s = xt_slice_str(address);
    size_t at = s.n;

    while (at > 0 && s.p[at - 1] != ':')
        at--;
    uint64_t number; /* getaddrinfo would take 99999 for 34463 */
    if (at < 2 || !xt_slice_parse_u64(xt_slice_skip(s, at), &number) || number > UINT16_MAX) {
        xt_problem_set(reterr_problem, "an address to listen on is HOST:PORT");
        xt_problem_excerpt(reterr_problem, s);
        return xt_error_origin(-EINVAL);
    }
    xt_slice name = xt_slice_head(s, at - 1);
    if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
        name = xt_slice_of(name.p + 1, name.n - 2);
    xt_text_copy(host, n_host, name);
    xt_text_copy(port, n_port, xt_slice_skip(s, at));
    return 0;
}

static int listen_at(xt_agents *agents, const struct addrinfo *at)
{
    int one = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return xt_error_origin(-errno);
    agents->listen_fd = fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, BACKLOG))
        return xt_error_origin(-errno);
    agents->listener = event_new(agents->base, fd, EV_READ | EV_PERSIST, on_accept, agents);
    return agents->listener && event_add(agents->listener, NULL) == 0 ? 0 : xt_error_origin(-ENOMEM);
}

static int listen_on(xt_agents *agents, const char *address, xt_problem *reterr_problem)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int r = split_address(address, host, sizeof host, port, sizeof port, reterr_problem);

    if (r)
        return xt_error_trace(r);
    int e = getaddrinfo(host, port, &hints, &found);
    if (e) {
        xt_problem_set(reterr_problem, "%s: no address to listen on: %s", address, gai_strerror(e));
        return xt_error_origin(-EINVAL);
    }
    r = listen_at(agents, found);
    freeaddrinfo(found);
    if (r) {
        xt_problem_set(reterr_problem, "%s: agents cannot be listened for: %s", address, strerror(-r));
        xt_problem_hint(reterr_problem, "choose another address with --listen HOST:PORT");
    }
    return xt_error_trace(r);
}

static int find_port(xt_agents *agents)
{
    struct sockaddr_storage own;
    socklen_t n = sizeof own;
    char port[NI_MAXSERV];
    uint64_t number = 0;

    if (getsockname(agents->listen_fd, (struct sockaddr *)&own, &n))
        return xt_error_origin(-errno);
    if (getnameinfo((struct sockaddr *)&own, n, NULL, 0, port, sizeof port, NI_NUMERICSERV) ||
        !xt_slice_parse_u64(xt_slice_str(port), &number))
        return xt_error_origin(-EINVAL);
    agents->port = (int)number;
    return 0;
}

static int open_events(xt_agents *agents)
{
    struct timeval every = {.tv_usec = LOOK_MS * 1000};

    agents->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (agents->wake_fd < 0)
        return xt_error_origin(-errno);
    agents->wake = event_new(agents->base, agents->wake_fd, EV_READ | EV_PERSIST, on_wake, agents);
    agents->retry = evtimer_new(agents->base, on_retry, agents);
    agents->look = event_new(agents->base, -1, EV_PERSIST, on_look, agents);
    agents->policy = event_new(agents->base, -1, EV_PERSIST, on_policy, agents);
    const struct timeval often = {.tv_usec = POLICY_MS * 1000};
    agents->piece = malloc(XT_AGENTS_PIECE_BYTES);
    if (!agents->wake || !agents->retry || !agents->look || !agents->piece || !agents->policy ||
        event_add(agents->policy, &often) || event_add(agents->wake, NULL) || event_add(agents->look, &every))
        return xt_error_origin(-ENOMEM);
    return 0;
}

int xt_agents_open(xt_app *app, struct event_base *base, const char *address, xt_agents **ret,
                   xt_problem *reterr_problem)
{
    xt_agents *agents = calloc(1, sizeof *agents);
    int r;

    if (!agents)
        return xt_error_origin(-ENOMEM);
    agents->app = app;
    agents->base = base;
    agents->wake_fd = agents->listen_fd = -1;
    pthread_mutex_init(&agents->lock, NULL);
    pthread_cond_init(&agents->settled, NULL);
    agents->max_new = MAX_NEW;
    xt_gather_init(&agents->gather, xt_hosts_n_enrolled(app->hosts), xt_clock_mono_ms(&xt_clock_system));
    agents->frame_s = FRAME_S;
    agents->generation = atomic_load(&app->pki.generation);
    r = xt_pki_context(&app->pki, &agents->context, reterr_problem);
    if (r == 0)
        r = open_events(agents);
    if (r == 0)
        r = listen_on(agents, address, reterr_problem);
    if (r == 0)
        r = find_port(agents);
    if (r) {
        xt_agents_close(agents);
        return xt_error_fold(r);
    }
    xt_app_on_fleet(app, on_fleet, agents);
    *ret = agents;
    return 0;
}

int xt_agents_port(const xt_agents *agents)
{
    return agents->port;
}

static void close_events(xt_agents *agents)
{
    if (agents->listener)
        event_free(agents->listener);
    if (agents->listen_fd >= 0)
        close(agents->listen_fd);
    if (agents->wake)
        event_free(agents->wake);
    if (agents->retry)
        event_free(agents->retry);
    if (agents->look)
        event_free(agents->look);
    if (agents->policy)
        event_free(agents->policy);
    if (agents->wake_fd >= 0)
        close(agents->wake_fd);
}

xt_agents *xt_agents_close(xt_agents *agents)
{
    if (!agents)
        return NULL;
    xt_app_on_fleet(agents->app, NULL, NULL);
    while (agents->links)
        xt_agent_link_close(agents->links);
    pthread_mutex_lock(&agents->lock);
    while (agents->n_waiting)
        pthread_cond_wait(&agents->settled, &agents->lock);
    pthread_mutex_unlock(&agents->lock);
    answer_all(agents); /* frees the dead links */
    close_events(agents);
    SSL_CTX_free(agents->context);
    xt_map_fini(&agents->by_host);
    pthread_cond_destroy(&agents->settled);
    pthread_mutex_destroy(&agents->lock);
    free(agents->outcomes);
    free(agents->piece);
    free(agents);
    return NULL;
}
