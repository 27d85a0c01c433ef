#include "tcpqueue.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#define MAX_CLAIMS 256
/* Bytes that may wait unsent in the kernel. It would hold megabytes, which on a slow link are minutes of video that could go to the spool instead. */
#define MAX_UNSENT 16384

/* Connections that children hold already, by their inode, so that two children of one target do not look at the same. */
static GMutex claims_lock;
static struct { ino_t inode; gint descriptor; } claims[MAX_CLAIMS];
static guint claim_count;

static gint peer_port(gint descriptor) {
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  int kind = 0;
  socklen_t kind_size = sizeof kind;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &kind_size) < 0 || kind != SOCK_STREAM || getpeername(descriptor, (struct sockaddr *)&peer, &size) < 0)
    return -1;
  if (peer.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&peer)->sin_port);
  return peer.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) : -1;
}

static gboolean claimed(ino_t inode) {
  for (guint i = 0; i < claim_count; i++)
    if (claims[i].inode == inode)
      return TRUE;
  return FALSE;
}

/* A descriptor may be closed and used anew by another thread at any time: what counts is the duplicate, looked at again. */
static gint take(gint descriptor, gint port, ino_t *ret_inode) {
  struct stat status;
  if (peer_port(descriptor) != port)
    return -1;
  gint copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0 && fstat(copy, &status) == 0 && S_ISSOCK(status.st_mode) && peer_port(copy) == port && !claimed(status.st_ino)) {
    *ret_inode = status.st_ino;
    return copy;
  }
  if (copy >= 0)
    close(copy);
  return -1;
}

static gint find_connection(gint port) {
  GDir *directory = g_dir_open("/proc/self/fd", 0, NULL);
  const gchar *name;
  gint best = -1;
  ino_t best_inode = 0, inode;
  g_mutex_lock(&claims_lock);
  while (directory && claim_count < MAX_CLAIMS && (name = g_dir_read_name(directory))) {
    gint copy = take(atoi(name), port, &inode);
    if (copy < 0)
      continue;
    gboolean newer = best < 0 || inode > best_inode;
    gint other = newer ? best : copy;
    if (newer)
      best = copy, best_inode = inode;
    if (other >= 0)
      close(other);
  }
  if (best >= 0)
    claims[claim_count].inode = best_inode, claims[claim_count++].descriptor = best;
  g_mutex_unlock(&claims_lock);
  if (directory)
    g_dir_close(directory);
  return best;
}

gint fovea_tcp_queue_open(FoveaChild *child) {
  GstElement *element = fovea_child_find(child, "host", "port");
  GParamSpec *spec = element ? g_object_class_find_property(G_OBJECT_GET_CLASS(element), "port") : NULL;
  gint port = -1;
  if (spec && spec->value_type == G_TYPE_INT)
    g_object_get(element, "port", &port, NULL);
  gst_clear_object(&element);
  gint descriptor = port > 0 ? find_connection(port) : -1;
  int unsent = MAX_UNSENT;
  if (descriptor >= 0)
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent); /* without it the link is only later to be seen as slow */
  return descriptor;
}

void fovea_tcp_queue_close(gint *descriptor) {
  if (*descriptor < 0)
    return;
  g_mutex_lock(&claims_lock);
  for (guint i = 0; i < claim_count; i++)
    if (claims[i].descriptor == *descriptor) {
      claims[i] = claims[--claim_count];
      break;
    }
  close(*descriptor);
  g_mutex_unlock(&claims_lock);
  *descriptor = -1;
}

gint64 fovea_tcp_queue_bytes(gint descriptor) {
  int bytes;
  return descriptor >= 0 && ioctl(descriptor, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}
