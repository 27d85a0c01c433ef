/* How much of what was written to a child's TCP connection the far side's machine has not acknowledged. Elements do not show their sockets; this one is found among the
 * descriptors of the process by where it is connected to. */
#ifndef FOVEA_PLUGINS_TCPQUEUE_H
#define FOVEA_PLUGINS_TCPQUEUE_H

#include "child.h"

G_BEGIN_DECLS

/* Also has the kernel keep little that is not sent yet. A descriptor of its own of the newest TCP connection to the port of an element that has the properties host and port, and which no other child has claimed; -1: none. */
gint fovea_tcp_queue_open(FoveaChild *child);
/* Must be closed before the child closes its own, or the far side would not see the end. Accepts -1. */
void fovea_tcp_queue_close(gint *descriptor);
gint64 fovea_tcp_queue_bytes(gint descriptor); /* -1: not known */

G_END_DECLS
#endif
