"""The process that forks the workers, which is gunicorn's with successors for those who retire."""

from signal import SIGHUP, SIGTERM

from gunicorn.arbiter import Arbiter as GunicornArbiter

from config.loader import metrics_directory


class Arbiter(GunicornArbiter):  # type: ignore[misc] # gunicorn ships no types
    """Keeps the wanted number of workers that take requests.

    One that retires is not counted: it waits for its last answers to end, which may take minutes, and gunicorn would
    leave its place empty for so long. It takes requests on until its successor does.
    """

    def reload(self) -> None:
        """For SIGHUP: have the workers read their configuration, instead of replacing them and cutting their streams.

        One that is started later begins with what was usable last, whatever is on disk by then.
        """
        self.app.read_again()
        self.log.info("Workers that start from now on begin with the configuration that was usable last")
        self.kill_workers(SIGHUP)

    def handle_ttin(self) -> None:
        """For SIGTTIN: one worker more, where workers share what they know; one that is alone stays so."""
        if metrics_directory() is None:
            self.log.warning("There is one worker only, which shares nothing: no other is started beside it")
        else:
            super().handle_ttin()

    def manage_workers(self) -> None:
        """Start the workers that are missing, end the oldest that are too many."""
        workers = sorted(self.WORKERS.values(), key=lambda worker: worker.age)
        staying = [worker for worker in workers if not worker.standing.retiring]
        for _ in range(self.num_workers - len(staying)):
            self.spawn_worker()
        for worker in staying[: max(0, len(staying) - self.num_workers)]:
            self.kill_worker(worker.pid, SIGTERM)
        if sum(worker.standing.serving for worker in staying) >= self.num_workers:
            for worker in workers:
                worker.standing.replaced = worker.standing.retiring
