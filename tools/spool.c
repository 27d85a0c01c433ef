/* fovea spool ls, cat, verify and purge: what waits on disk. */
#include <stdio.h>
#include <string.h>

#include <fovea/spool.h>

#include "commands.h"
#include "json.h"
#include "options.h"

static const char command[] = "spool";

typedef struct Settings {
  char *reader;
  gint64 limit;
  gboolean newest_first, json, raw;
} Settings;

static int open_to_look(const char *directory, FvSpool **spool) {
  FvError err;
  return fv_spool_open(&fv_spool_params(.directory = directory, .read_only = true), spool, &err) < 0 ? fv_fail(command, "%s", err.message) : FV_EXIT_OK;
}

static char *when(int64_t wall_ns) {
  GDateTime *time = g_date_time_new_from_unix_utc(wall_ns / G_GINT64_CONSTANT(1000000000));
  char *text = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : g_strdup("?");
  char *whole = time ? g_strdup_printf("%s.%03dZ", text, (int)(wall_ns / 1000000 % 1000)) : g_strdup(text);
  if (time) g_date_time_unref(time);
  g_free(text);
  return whole;
}

static void list_text(const char *directory, const FvSpoolStats *stats) {
  char *oldest = stats->oldest_wall_ns ? when(stats->oldest_wall_ns) : g_strdup("-");
  printf("%s\n  records   %lld\n  bytes     %lld\n  segments  %lld\n  oldest    %s\n", directory, (long long)stats->records, (long long)stats->bytes, (long long)stats->segments, oldest);
  g_free(oldest);
}

static void list_json(const char *directory, const FvSpoolStats *stats) {
  FvJson json;
  char *oldest = stats->oldest_wall_ns ? when(stats->oldest_wall_ns) : NULL;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_string(&json, "directory", directory);
  fv_json_int(&json, "records", stats->records);
  fv_json_int(&json, "bytes", stats->bytes);
  fv_json_int(&json, "segments", stats->segments);
  fv_json_string(&json, "oldest", oldest);
  fv_json_close(&json, '}');
  fv_json_print(&json);
  g_free(oldest);
}

static int list(const char *directory, const Settings *settings) {
  FvSpool *spool;
  int result = open_to_look(directory, &spool);
  if (result != FV_EXIT_OK) return result;
  FvSpoolStats stats = fv_spool_stats(spool);
  (settings->json ? list_json : list_text)(directory, &stats);
  fv_spool_close(&spool);
  return FV_EXIT_OK;
}

/* The payload as text where it is text; else only its size. */
static void print_record(const FvSpoolRecord *record, bool raw) {
  const char *data = record->data;
  size_t size = record->size;
  if (raw) {
    fwrite(data, 1, size, stdout);
    if (!size || data[size - 1] != '\n') putchar('\n');
    return;
  }
  while (size && (data[size - 1] == '\n' || data[size - 1] == '\r')) size--;
  char *time = when(record->wall_ns);
  bool text = g_utf8_validate(data, (gssize)size, NULL) && !memchr(data, '\033', size);
  printf("%016llx %s type %u priority %u, %zu bytes", (unsigned long long)record->id, time, record->type, record->priority, record->size);
  if (text) printf(": %.*s", (int)size, data);
  putchar('\n');
  g_free(time);
}

/* Goes through all records; print false only checks them. */
static int walk(const char *directory, const Settings *settings, bool print, int64_t *count, FvSpoolStats *stats) {
  FvSpool *spool;
  FvSpoolReader *reader;
  FvSpoolRecord record;
  FvError err;
  int result = open_to_look(directory, &spool), got = 0;
  if (result != FV_EXIT_OK) return result;
  FvSpoolReaderParams params = {.name = settings->reader ? settings->reader : "fovea-spool-looks", .newest_first = settings->newest_first};
  if (fv_spool_reader_open(spool, &params, &reader, &err) < 0) {
    fv_spool_close(&spool);
    return fv_fail(command, "%s", err.message);
  }
  for (*count = 0; (settings->limit == 0 || *count < settings->limit) && (got = fv_spool_next(reader, &record, &err)) > 0; ++*count)
    if (print) print_record(&record, settings->raw);
  if (got < 0) result = fv_fail(command, "%s", err.message);
  *stats = fv_spool_stats(spool);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  return result;
}

static int verify(const char *directory, const Settings *settings) {
  int64_t count;
  FvSpoolStats stats;
  int result = walk(directory, settings, false, &count, &stats);
  if (result != FV_EXIT_OK) return result;
  if (stats.damaged)
    return fv_fail(command, "%s: %lld records are whole; %llu places cannot be read and will be passed over", directory, (long long)count, (unsigned long long)stats.damaged);
  printf("%s: %lld records, all whole\n", directory, (long long)count);
  return FV_EXIT_OK;
}

/* Everything that one reader has waiting is acknowledged. */
static int purge(const char *directory, const Settings *settings) {
  FvSpool *spool;
  FvSpoolReader *reader;
  FvSpoolRecord record;
  FvError err;
  if (!settings->reader) return fv_fail_usage(command, "purge needs --reader NAME: whose records to give up (the NAME of DIR/NAME.cursor)");
  if (fv_spool_open(&fv_spool_params(.directory = directory), &spool, &err) < 0) return fv_fail(command, "%s", err.message);
  int64_t count = 0;
  int result = FV_EXIT_OK, got = 0;
  if (fv_spool_reader_open(spool, &(FvSpoolReaderParams){.name = settings->reader}, &reader, &err) < 0) {
    fv_spool_close(&spool);
    return fv_fail(command, "%s", err.message);
  }
  for (; (got = fv_spool_next(reader, &record, &err)) > 0; count++) fv_spool_acknowledge(reader, record.id, NULL);
  if (got < 0) result = fv_fail(command, "%s", err.message);
  fv_spool_reader_close(&reader);
  if (result == FV_EXIT_OK && fv_spool_sync(spool, &err) < 0) result = fv_fail(command, "%s", err.message);
  if (result == FV_EXIT_OK) printf("%s: %lld records given up for reader '%s'\n", directory, (long long)count, settings->reader);
  fv_spool_close(&spool);
  return result;
}

static int dispatch(const char *action, const char *directory, const Settings *settings) {
  int64_t count;
  FvSpoolStats stats;
  if (strcmp(action, "ls") == 0) return list(directory, settings);
  if (strcmp(action, "cat") == 0) return walk(directory, settings, true, &count, &stats);
  if (strcmp(action, "verify") == 0) return verify(directory, settings);
  if (strcmp(action, "purge") == 0) return purge(directory, settings);
  return fv_fail_usage(command, "'%s' is nothing that can be done: there is ls, cat, verify and purge", action);
}

int fv_command_spool(int argc, char **argv) {
  Settings settings = {0};
  const GOptionEntry entries[] = {
    {"reader", 0, 0, G_OPTION_ARG_STRING, &settings.reader, "cat: only what NAME has not acknowledged; purge: whose records to give up", "NAME"},
    {"limit", 0, 0, G_OPTION_ARG_INT64, &settings.limit, "cat: at most N records (default 0: all)", "N"},
    {"newest-first", 0, 0, G_OPTION_ARG_NONE, &settings.newest_first, "cat: the other way round", NULL},
    {"raw", 0, 0, G_OPTION_ARG_NONE, &settings.raw, "cat: payloads only, one a line", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &settings.json, "ls: print JSON", NULL},
    {0}};
  const FvUsage usage = {command, "ls|cat|verify|purge DIR",
                         "Looks into a spool, the log on disk of what could not be sent yet. ls sums it up, cat prints its records, verify reads\n"
                         "every record, purge gives up what a reader has waiting. Only purge changes anything, and only while nobody writes there.", 2, 2};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && settings.limit < 0) result = fv_fail_usage(command, "--limit must not be negative");
  if (result == FV_EXIT_OK) result = dispatch(argv[1], argv[2], &settings);
  g_free(settings.reader);
  return result;
}
