#include "transport.h"

#include <poll.h>
#include <string.h>

gshort fovea_transport_wait(gint wake_fd, gint fd, gshort events, gint timeout_ms) {
  struct pollfd waits[] = {{.fd = wake_fd, .events = POLLIN}, {.fd = fd, .events = events}};
  return poll(waits, fd >= 0 ? 2 : 1, timeout_ms) > 0 ? waits[1].revents : 0;
}

gchar *fovea_transport_topic(const gchar *topic, const gchar *source, const gchar *forbidden) {
  gchar *name = g_strdelimit(g_utf8_make_valid(source, -1), forbidden, '_');
  gchar **parts = g_strsplit(topic, "{source}", -1);
  gchar *joined = g_strjoinv(name, parts);
  g_strfreev(parts);
  g_free(name);
  return joined;
}
