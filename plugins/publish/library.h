/* Libraries that are opened when they are first needed, so that the element exists where they are not installed. They stay open: some register what runs at exit. */
#ifndef FOVEA_PLUGINS_LIBRARY_H
#define FOVEA_PLUGINS_LIBRARY_H

#include <gio/gio.h>

G_BEGIN_DECLS

/* Opens `file` and fills places[i] with the address of names[i]. The error names the Debian package that has the library. May be called again, by any thread. */
gboolean fovea_library_open(const gchar *file, const gchar *package, const gchar *const *names, gpointer *places, gsize count, GError **error);

/* For a list L(X) of functions: a structure of pointers to them, and their names in the same order. */
#define FOVEA_LIBRARY_POINTER(function) __typeof__(function) *function;
#define FOVEA_LIBRARY_NAME(function) #function,

G_END_DECLS
#endif
