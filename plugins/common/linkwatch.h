/* Tells when the machine's network comes up, so that whoever waits for the next attempt need not wait for the clock. */
#ifndef FOVEA_PLUGINS_LINKWATCH_H
#define FOVEA_PLUGINS_LINKWATCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct FoveaLinkWatch FoveaLinkWatch;

/* Calls on_up(user), from a thread of its own, whenever a network interface gets its carrier or an address, or a route is added: at most once in 250 ms. Never fails: where the
 * kernel does not tell (no netlink allowed), on_up is just not called. */
FoveaLinkWatch *fovea_link_watch_new(void (*on_up)(gpointer user), gpointer user);
/* When it returns on_up does not run and is not called again; so it must not be called with a lock held that on_up takes, nor from on_up. Accepts NULL. */
void fovea_link_watch_free(FoveaLinkWatch *watch);

G_END_DECLS
#endif
