#include "notify.h"

#include "notify_config.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#if HAVE_SYSTEMD
void fv_notify_ready(const char *status) { sd_notifyf(0, "READY=1%s%s", status != NULL ? "\nSTATUS=" : "", status != NULL ? status : ""); }

void fv_notify_status(const char *status) { sd_notifyf(0, "STATUS=%s", status); }

/* The time lets systemd tell this reload from an earlier one. */
void fv_notify_reloading(void) { sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time()); }

void fv_notify_stopping(guint64 extra_us) { sd_notifyf(0, "STOPPING=1\nSTATUS=Completing recordings and sending what is left\nEXTEND_TIMEOUT_USEC=%" G_GUINT64_FORMAT, extra_us); }

guint64 fv_notify_watchdog_us(void) {
  uint64_t interval = 0;
  return sd_watchdog_enabled(0, &interval) > 0 ? interval : 0;
}

void fv_notify_alive(void) { sd_notify(0, "WATCHDOG=1"); }
#else
void fv_notify_ready(const char *status) {}
void fv_notify_status(const char *status) {}
void fv_notify_reloading(void) {}
void fv_notify_stopping(guint64 extra_us) {}
guint64 fv_notify_watchdog_us(void) { return 0; }
void fv_notify_alive(void) {}
#endif
