/* HTTP by libcurl: lines of JSON (application/x-ndjson), many in one POST, one POST at a time, so that they arrive in order. */
#include "transport.h"

#define CURL_DISABLE_TYPECHECK /* its macros want to call the functions by name */
#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#include <fovea/version.h>

#include "common/secret.h"
#include "library.h"

#define CONNECT_SECONDS 15L
#define MAX_PAUSE_S 3600 /* of what a server may ask for */

#define FUNCTIONS(X)                                                                                                                            \
  X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_easy_cleanup) X(curl_easy_strerror) X(curl_slist_append) \
  X(curl_slist_free_all) X(curl_multi_init) X(curl_multi_add_handle) X(curl_multi_remove_handle) X(curl_multi_perform) X(curl_multi_poll)       \
  X(curl_multi_info_read) X(curl_multi_cleanup)

static struct { FUNCTIONS(FOVEA_LIBRARY_POINTER) } lib;
static const gchar *const names[] = {FUNCTIONS(FOVEA_LIBRARY_NAME)};

typedef struct Message {
  guint64 id;
  gsize end; /* of its line in the batch */
} Message;

typedef struct Batch {
  GString *body;
  GArray *messages;
} Batch;

typedef struct HttpTransport {
  FoveaTransport base;
  gchar *address, *username, *password, *token, *ca_file, *cert_file, *key_file;
  gboolean tls_verify;
  guint batch_records;
  gint64 batch_us;
  glong timeout_s;

  CURLM *multi;
  CURL *running; /* the attempt to connect, or the POST of the first batch; NULL: none */
  struct curl_slist *headers;
  gboolean connected;
  GQueue batches; /* Batch, full or cut off; the first may be on its way */
  Batch *filling; /* NULL: empty */
  gint64 due;     /* monotonic us, when filling goes however full */
  gchar problem[CURL_ERROR_SIZE];
} HttpTransport;

/* --- batches ----------------------------------------------------------------------------------------------- */

static Batch *batch_new(void) {
  Batch *batch = g_new0(Batch, 1);
  batch->body = g_string_new(NULL);
  batch->messages = g_array_new(FALSE, FALSE, sizeof(Message));
  return batch;
}

static void batch_free(gpointer data) {
  Batch *batch = data;
  g_string_free(batch->body, TRUE);
  g_array_unref(batch->messages);
  g_free(batch);
}

static void batch_add(Batch *batch, guint64 id, const gchar *line, gsize size) {
  g_string_append_len(batch->body, line, (gssize)size);
  Message message = {id, batch->body->len};
  g_array_append_val(batch->messages, message);
}

static Batch *batch_part(const Batch *batch, guint from, guint to) {
  Batch *part = batch_new();
  gsize begin = from ? g_array_index(batch->messages, Message, from - 1).end : 0;
  for (guint i = from; i < to; i++) {
    const Message *message = &g_array_index(batch->messages, Message, i);
    batch_add(part, message->id, batch->body->str + begin, message->end - begin);
    begin = message->end;
  }
  return part;
}

static void close_filling(HttpTransport *http) {
  if (http->filling)
    g_queue_push_tail(&http->batches, g_steal_pointer(&http->filling));
}

/* --- settings ---------------------------------------------------------------------------------------------- */

static gboolean open_library(GError **error) {
  static gsize done = 0;
  if (!fovea_library_open("libcurl.so.4", "libcurl4", names, (gpointer *)&lib, G_N_ELEMENTS(names), error))
    return FALSE;
  if (g_once_init_enter(&done)) {
    lib.curl_global_init(CURL_GLOBAL_DEFAULT);
    g_once_init_leave(&done, 1);
  }
  return TRUE;
}

static gboolean check(const FoveaTransportOptions *options, GError **error) {
  const gchar *files[] = {options->ca_file, options->cert_file, options->key_file};
  GUri *uri = g_uri_parse(options->address, G_URI_FLAGS_ENCODED, NULL);
  const gchar *scheme = uri ? g_uri_get_scheme(uri) : "";
  gboolean good = (g_str_equal(scheme, "http") || g_str_equal(scheme, "https")) && g_uri_get_host(uri) && *g_uri_get_host(uri);
  if (uri)
    g_uri_unref(uri);
  if (!good)
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "address %s is not of the form http://host/path or https://host/path", options->address);
  for (guint i = 0; good && i < G_N_ELEMENTS(files); i++) {
    good = !files[i] || access(files[i], R_OK) == 0;
    if (!good)
      g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "file %s cannot be read", files[i]);
  }
  return good;
}

static FoveaTransport *http_create(const FoveaTransportOptions *options, GError **error) {
  if (!open_library(error) || !check(options, error))
    return NULL;
  HttpTransport *http = g_new0(HttpTransport, 1);
  http->base.method = &fovea_transport_http;
  http->base.window = 2 * options->batch_records; /* one on its way, one that fills */
  http->base.target = g_strdup(options->address);
  http->address = g_strdup(options->address);
  http->username = g_strdup(options->username);
  http->password = g_strdup(options->password);
  http->token = g_strdup(options->token);
  http->ca_file = g_strdup(options->ca_file);
  http->cert_file = g_strdup(options->cert_file);
  http->key_file = g_strdup(options->key_file);
  http->tls_verify = options->tls_verify;
  http->batch_records = options->batch_records;
  http->batch_us = (gint64)options->batch_ms * 1000;
  http->timeout_s = (glong)options->keep_alive_s;
  http->multi = lib.curl_multi_init();
  return &http->base;
}

/* --- requests ---------------------------------------------------------------------------------------------- */

static size_t forget_answer(char *data, size_t size, size_t count, void *user) { return size * count; }

static void add_header(HttpTransport *http, const gchar *header) { http->headers = lib.curl_slist_append(http->headers, header); }

static CURL *new_request(HttpTransport *http) {
  CURL *easy = lib.curl_easy_init();
  http->problem[0] = '\0';
  lib.curl_easy_setopt(easy, CURLOPT_URL, http->address);
  lib.curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->problem);
  lib.curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  lib.curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a stop does not wait for a name server */
#endif
  lib.curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
  lib.curl_easy_setopt(easy, CURLOPT_TIMEOUT, http->timeout_s);
  lib.curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  lib.curl_easy_setopt(easy, CURLOPT_USERAGENT, "fovea/" FV_VERSION);
  lib.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget_answer);
  lib.curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, http->tls_verify ? 1L : 0L);
  lib.curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, http->tls_verify ? 2L : 0L);
  if (http->ca_file)
    lib.curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
  if (http->cert_file) {
    lib.curl_easy_setopt(easy, CURLOPT_SSLCERT, http->cert_file);
    lib.curl_easy_setopt(easy, CURLOPT_SSLKEY, http->key_file);
  }
  return easy;
}

static void start_request(HttpTransport *http, CURL *easy) {
  http->running = easy;
  lib.curl_multi_add_handle(http->multi, easy);
}

static void end_request(HttpTransport *http) {
  if (http->running) {
    lib.curl_multi_remove_handle(http->multi, http->running);
    lib.curl_easy_cleanup(http->running);
  }
  http->running = NULL;
  lib.curl_slist_free_all(http->headers);
  http->headers = NULL;
}

static void post(HttpTransport *http, const Batch *batch) {
  CURL *easy = new_request(http);
  add_header(http, "Content-Type: application/x-ndjson");
  add_header(http, "Expect:"); /* no question before the body */
  if (http->token) {
    gchar *header = g_strconcat("Authorization: Bearer ", http->token, NULL);
    add_header(http, header);
    fovea_secret_free(header);
  } else if (http->username) {
    lib.curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    lib.curl_easy_setopt(easy, CURLOPT_USERNAME, http->username);
    lib.curl_easy_setopt(easy, CURLOPT_PASSWORD, http->password ? http->password : "");
  }
  lib.curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
  lib.curl_easy_setopt(easy, CURLOPT_POST, 1L);
  lib.curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)batch->body->len);
  lib.curl_easy_setopt(easy, CURLOPT_POSTFIELDS, batch->body->str);
  start_request(http, easy);
}

/* --- answers ----------------------------------------------------------------------------------------------- */

static void lose(HttpTransport *http, const gchar *reason, guint pause_ms) { http->base.events->lost(http->base.user, reason, pause_ms); }

static void take_answer(HttpTransport *http) {
  Batch *batch = g_queue_pop_head(&http->batches);
  for (guint i = 0; i < batch->messages->len; i++) http->base.events->acknowledged(http->base.user, g_array_index(batch->messages, Message, i).id);
  batch_free(batch);
}

/* The server will not take the batch, now or later. It may be one message's fault: halves are tried until that one stands alone. */
static void take_refusal(HttpTransport *http, const gchar *reason) {
  Batch *batch = g_queue_pop_head(&http->batches);
  guint count = batch->messages->len;
  if (count == 1) {
    http->base.events->rejected(http->base.user, g_array_index(batch->messages, Message, 0).id, reason);
  } else {
    g_queue_push_head(&http->batches, batch_part(batch, count / 2, count));
    g_queue_push_head(&http->batches, batch_part(batch, 0, count / 2));
  }
  batch_free(batch);
}

/* Answers that speak of the content. The others of the 4xx speak of address, rights or load, which people or time will mend. */
static gboolean is_about_the_content(glong status) {
  return status == 400 || status == 409 || status == 411 || status == 413 || status == 414 || status == 415 || status == 422 || status == 431;
}

static void finish_post(HttpTransport *http, CURL *easy) {
  glong status = 0;
  curl_off_t pause_s = 0;
  lib.curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  lib.curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &pause_s);
  gchar *reason = g_strdup_printf("the server answers %ld", status);
  end_request(http);
  if (status >= 200 && status < 300)
    take_answer(http);
  else if (is_about_the_content(status))
    take_refusal(http, reason);
  else
    lose(http, reason, (guint)CLAMP(pause_s, 0, MAX_PAUSE_S) * 1000);
  g_free(reason);
}

static void finish(HttpTransport *http, CURL *easy, CURLcode code) {
  if (code != CURLE_OK) {
    gchar *reason = g_strdup(http->problem[0] ? http->problem : lib.curl_easy_strerror(code));
    end_request(http);
    lose(http, reason, 0);
    g_free(reason);
  } else if (!http->connected) {
    end_request(http);
    http->connected = TRUE;
    http->base.events->connected(http->base.user);
  } else {
    finish_post(http, easy);
  }
}

static void take_finished(HttpTransport *http) {
  CURLMsg *message;
  gint left;
  while ((message = lib.curl_multi_info_read(http->multi, &left)) != NULL) {
    if (message->msg == CURLMSG_DONE && message->easy_handle == http->running) {
      finish(http, message->easy_handle, message->data.result);
      return; /* the others are gone with it */
    }
  }
}

/* --- transport --------------------------------------------------------------------------------------------- */

/* Only opens a connection: it shows that the server is there and is who it should be, and costs it nothing. */
static void http_connect(FoveaTransport *base) {
  HttpTransport *http = (HttpTransport *)base;
  CURL *easy = new_request(http);
  lib.curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  start_request(http, easy);
}

static void http_send(FoveaTransport *base, guint64 id, const gchar *line, gsize size) {
  HttpTransport *http = (HttpTransport *)base;
  if (!http->filling) {
    http->filling = batch_new();
    http->due = g_get_monotonic_time() + http->batch_us;
  }
  batch_add(http->filling, id, line, size);
  if (http->filling->messages->len >= http->batch_records)
    close_filling(http);
}

static void start_next(HttpTransport *http) {
  if (http->filling && g_get_monotonic_time() >= http->due)
    close_filling(http);
  const Batch *first = g_queue_peek_head(&http->batches);
  if (http->connected && !http->running && first)
    post(http, first);
}

static void http_poll(FoveaTransport *base, gint wake_fd, gint timeout_ms) {
  HttpTransport *http = (HttpTransport *)base;
  struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
  gint running;
  start_next(http);
  lib.curl_multi_perform(http->multi, &running);
  if (http->filling) {
    gint64 left = (http->due - g_get_monotonic_time()) / 1000 + 1;
    timeout_ms = MIN(timeout_ms, (gint)CLAMP(left, 0, G_MAXINT));
  }
  if (running || !http->running)
    lib.curl_multi_poll(http->multi, &wake, 1, timeout_ms, NULL);
  lib.curl_multi_perform(http->multi, &running);
  take_finished(http);
}

static void http_flush(FoveaTransport *base) { close_filling((HttpTransport *)base); }

static void http_disconnect(FoveaTransport *base, gboolean orderly) {
  HttpTransport *http = (HttpTransport *)base;
  end_request(http);
  g_queue_clear_full(&http->batches, batch_free);
  g_clear_pointer(&http->filling, batch_free);
  http->connected = FALSE;
}

static void http_destroy(FoveaTransport *base) {
  HttpTransport *http = (HttpTransport *)base;
  lib.curl_multi_cleanup(http->multi);
  fovea_secret_free(http->password);
  fovea_secret_free(http->token);
  g_free(http->address);
  g_free(http->username);
  g_free(http->ca_file);
  g_free(http->cert_file);
  g_free(http->key_file);
  g_free(base->target);
  g_free(http);
}

const FoveaTransportMethod fovea_transport_http = {"http",    TRUE,      20000,      http_create,     http_connect,
                                                   http_send, http_poll, http_flush, http_disconnect, http_destroy};
