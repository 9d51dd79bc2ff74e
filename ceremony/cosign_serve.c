#include <arpa/inet.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/cosigner.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/limits.h"

/* `quorate cosign serve`: C2SP tlog-witness over HTTP. TLS is for a proxy before it. */

#define LISTEN_DEFAULT "127.0.0.1:8420"

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, struct buf *body)
{
    struct MHD_Response *r = NULL;
    enum MHD_Result sent = MHD_NO;

    r = body->failed ? NULL : MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES)
        sent = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return sent;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct buf b = BUF(4096);
    enum MHD_Result sent = MHD_NO;

    buf_puts(&b, text);
    buf_puts(&b, "\n");
    sent = answer(connection, status, "text/plain; charset=utf-8", &b);
    buf_free(&b);
    return sent;
}

static enum MHD_Result checkpoint_add(struct cosigner_state *c, struct MHD_Connection *connection,
                                      const struct buf *request)
{
    struct buf body = BUF(LIMIT_NOTE);
    struct fault f = {OK, ""};
    unsigned status = request->failed ? 400 : cosigner_add(c, buf_span(request), &body, &f);
    enum MHD_Result sent = MHD_NO;

    if (status == 200)
        sent = answer(connection, status, "text/plain; charset=utf-8", &body);
    else if (status == 409)
        sent = answer(connection, status, "text/x.tlog.size", &body);
    else if (status == 500)
        sent = answer_text(connection, status, "this cosigner cannot keep its state");
    else
        sent = answer_text(connection, status, request->failed ? "the request is too long" : f.text);
    if (status != 200)
        fprintf(stderr, "quorate: %u: %s\n", status, request->failed ? "the request is too long" : f.text);
    buf_free(&body);
    return sent;
}

/* Called first with the head, then with parts of the body, then without any. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **request)
{
    struct buf *b = *request;

    (void)version;
    if (strcmp(url, "/add-checkpoint") != 0)
        return answer_text(connection, 404, "only /add-checkpoint is here");
    if (strcmp(method, "POST") != 0)
        return answer_text(connection, 405, "POST was expected");
    if (b == NULL) {
        b = calloc(1, sizeof *b);
        if (b == NULL)
            return MHD_NO;
        *b = BUF(LIMIT_NOTE);
        *request = b;
        return MHD_YES;
    }
    if (*size > 0) {
        buf_put(b, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return checkpoint_add(context, connection, b);
}

static void done(void *context, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode why)
{
    struct buf *b = *request;

    (void)context;
    (void)connection;
    (void)why;
    if (b != NULL)
        buf_free(b);
    free(b);
    *request = NULL;
}

/* "[ADDRESS:]PORT", IPv4. */
static enum outcome address_read(const char *text, struct sockaddr_in *ret, struct fault *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(text, ':'), *port = colon != NULL ? colon + 1 : text;
    unsigned long number = strtoul(port, NULL, 10);
    char host[64] = "";
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (len < sizeof host)
        memcpy(host, text, len);
    if (len >= sizeof host || *port == '\0' || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 ||
        number > UINT16_MAX || (len > 0 && inet_pton(AF_INET, host, &a.sin_addr) != 1))
        return fault_set(f, E_INVALID, "--listen %s: [ADDRESS:]PORT was expected, such as " LISTEN_DEFAULT, text);
    a.sin_port = htons((uint16_t)number);
    *ret = a;
    return OK;
}

static enum outcome serving_tell(struct MHD_Daemon *daemon, const struct sockaddr_in *at, const struct note_key *key,
                                 struct fault *f)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    struct buf b = BUF(OUTPUT_MAX), vkey = BUF(LIMIT_NOTE);
    char host[INET_ADDRSTRLEN] = "";
    enum outcome o = OK;

    if (info == NULL || inet_ntop(AF_INET, &at->sin_addr, host, sizeof host) == NULL)
        return fault_set(f, E_IO, "the port is not known");
    note_key_put(key, &vkey);
    print_field(&b, "cosigner", "%s", buf_str(&vkey));
    print_field(&b, "listening", "http://%s:%u", host, (unsigned)info->port);
    o = print_out(&b, f);
    fflush(stdout);
    buf_free(&vkey);
    buf_free(&b);
    return o;
}

enum outcome run_cosign_serve(const struct arguments *a, struct fault *f)
{
    const char *listen = argument(a, "listen");
    struct sockaddr_in at = {0};
    struct cosigner_state *c = NULL;
    struct MHD_Daemon *daemon = NULL;
    sigset_t ends;
    int which = 0;
    enum outcome o = address_read(listen != NULL ? listen : LISTEN_DEFAULT, &at, f);

    if (o == OK)
        o = cosigner_open(a->operands[0], &c, f);
    if (o != OK)
        return o;
    /* Before the server's threads are made, so that they inherit it. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, ntohs(at.sin_port), NULL, NULL, handle, c,
                              MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
                              LIMIT_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, LIMIT_CONNECTION,
                              MHD_OPTION_NOTIFY_COMPLETED, done, NULL, MHD_OPTION_END);
    if (daemon == NULL)
        o = fault_set(f, E_IO, "nothing can listen at %s: is it taken?", listen != NULL ? listen : LISTEN_DEFAULT);
    if (o == OK)
        o = serving_tell(daemon, &at, cosigner_key(c), f);
    if (o == OK)
        sigwait(&ends, &which);
    if (daemon != NULL)
        MHD_stop_daemon(daemon);
    cosigner_close(c);
    return o;
}
