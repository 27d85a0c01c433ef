#include "linkwatch.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define QUIET_US (250 * 1000) /* a link that comes up tells so in several messages */

struct FoveaLinkWatch {
  void (*on_up)(gpointer user);
  gpointer user;
  gint netlink, quit; /* descriptors */
  GThread *thread;
};

static gboolean means_up(const struct nlmsghdr *header) {
  switch (header->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_NEWROUTE: return TRUE;
    case RTM_NEWLINK: {
      const struct ifinfomsg *link = NLMSG_DATA(header);
      return header->nlmsg_len >= NLMSG_LENGTH(sizeof *link) && (link->ifi_flags & IFF_RUNNING);
    }
    default: return FALSE;
  }
}

/* Reads what has come; TRUE when some of it means up. A full buffer of the kernel's (ENOBUFS) hides news, so it counts as such. */
static gboolean read_news(gint netlink) {
  _Alignas(struct nlmsghdr) gchar buffer[8192];
  gssize size;
  gboolean up = FALSE;
  while ((size = recv(netlink, buffer, sizeof buffer, MSG_DONTWAIT)) > 0 || (size < 0 && (errno == EINTR || errno == ENOBUFS))) {
    up |= size < 0 && errno == ENOBUFS;
    guint left = size > 0 ? (guint)size : 0;
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) up |= means_up(header);
  }
  return up;
}

static gpointer watch_thread(gpointer data) {
  FoveaLinkWatch *watch = data;
  struct pollfd waits[] = {{.fd = watch->quit, .events = POLLIN}, {.fd = watch->netlink, .events = POLLIN}};
  for (;;) {
    if (poll(waits, G_N_ELEMENTS(waits), -1) < 0 && errno != EINTR)
      return NULL;
    if (waits[0].revents)
      return NULL;
    if (!waits[1].revents || !read_news(watch->netlink))
      continue;
    watch->on_up(watch->user);
    if (poll(waits, 1, QUIET_US / 1000) > 0) /* leaves the rest of the same news for one more call */
      return NULL;
  }
}

static gint open_netlink(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE};
  gint netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink >= 0 && bind(netlink, (struct sockaddr *)&address, sizeof address) == 0)
    return netlink;
  if (netlink >= 0)
    close(netlink);
  return -1;
}

FoveaLinkWatch *fovea_link_watch_new(void (*on_up)(gpointer user), gpointer user) {
  FoveaLinkWatch *watch = g_new0(FoveaLinkWatch, 1);
  watch->on_up = on_up;
  watch->user = user;
  watch->netlink = open_netlink();
  watch->quit = eventfd(0, EFD_CLOEXEC);
  if (watch->netlink >= 0 && watch->quit >= 0)
    watch->thread = g_thread_new("fovea-link", watch_thread, watch);
  return watch;
}

void fovea_link_watch_free(FoveaLinkWatch *watch) {
  if (!watch)
    return;
  if (watch->thread) {
    eventfd_write(watch->quit, 1);
    g_thread_join(watch->thread);
  }
  if (watch->netlink >= 0)
    close(watch->netlink);
  if (watch->quit >= 0)
    close(watch->quit);
  g_free(watch);
}
