#include "resolve.h"

#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Shared by the asker and the thread; the last one frees it. */
struct FoveaResolve {
  gint holders, done; /* atomic */
  gint answered;      /* eventfd */
  gint result;        /* of getaddrinfo; valid when done */
  gchar *host;
};

static void release(FoveaResolve *resolve) {
  if (!g_atomic_int_dec_and_test(&resolve->holders))
    return;
  close(resolve->answered);
  g_free(resolve->host);
  g_free(resolve);
}

static gpointer resolve_thread(gpointer data) {
  FoveaResolve *resolve = data;
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  resolve->result = getaddrinfo(resolve->host, NULL, &hints, &found);
  if (resolve->result == 0)
    freeaddrinfo(found);
  g_atomic_int_set(&resolve->done, TRUE);
  eventfd_write(resolve->answered, 1);
  release(resolve);
  return NULL;
}

FoveaResolve *fovea_resolve_start(const gchar *host) {
  FoveaResolve *resolve = g_new0(FoveaResolve, 1);
  resolve->holders = 2;
  resolve->host = g_strdup(host);
  resolve->answered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_thread_unref(g_thread_new("fovea-resolve", resolve_thread, resolve));
  return resolve;
}

gint fovea_resolve_fd(const FoveaResolve *resolve) { return resolve->answered; }

gboolean fovea_resolve_done(FoveaResolve *resolve, const gchar **ret_problem) {
  if (!g_atomic_int_get(&resolve->done))
    return FALSE;
  *ret_problem = resolve->result ? gai_strerror(resolve->result) : NULL;
  return TRUE;
}

void fovea_resolve_free(FoveaResolve *resolve) {
  if (resolve)
    release(resolve);
}
