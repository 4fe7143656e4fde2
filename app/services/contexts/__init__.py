"""What a run or a call must know of its account, integration and job."""
