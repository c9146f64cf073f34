# SPDX-License-Identifier: Apache-2.0
"""Files at addresses (s3://, sftp://, https://, gs://): fetched, sent, listed. Knows neither sounds nor archives."""
