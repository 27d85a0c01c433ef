/* News for systemd (sd_notify(3)). Without libsystemd in the build, or outside a service, all of it does nothing. */
#ifndef FOVEA_TOOLS_NOTIFY_H
#define FOVEA_TOOLS_NOTIFY_H

#include <glib.h>

/* One line for `systemctl status`; NULL leaves it as it is. */
void fv_notify_ready(const char *status);
void fv_notify_status(const char *status);
/* Followed by fv_notify_ready() when the file has been read again, whatever came of it. */
void fv_notify_reloading(void);
/* Stopping may take so much longer than the unit says. */
void fv_notify_stopping(guint64 extra_us);

/* How often the watchdog wants to hear from us, µs; 0: there is none. */
guint64 fv_notify_watchdog_us(void);
void fv_notify_alive(void);

#endif
