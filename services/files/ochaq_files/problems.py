"""The problem codes of the files service. Importing this module puts them into the catalogue."""

from ochaq_shared.problems import define

NAME_INVALID = define("files.name_invalid", 422, "The file name cannot be used")
FOLDER_INVALID = define("files.folder_invalid", 422, "The folder cannot be used")
FILE_MISSING = define("files.file_missing", 422, "The form has no file")
ONE_FILE = define("files.one_file", 422, "One file at a time")
NAME_TAKEN = define("files.name_taken", 409, "The folder already has a file of this name")
STORAGE_FULL = define("files.storage_full", 507, "There is no room left for the file")
